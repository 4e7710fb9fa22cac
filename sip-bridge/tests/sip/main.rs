//! Whole calls over loopback sockets: endpoint against endpoint, and against hand-written SIP.
//! Not here: SDP and message parsing, which have unit tests beside them.

mod bench;
mod call_flows;
mod carrier_headers;
mod certificates;
mod challenged_calls;
mod dialog_requests;
mod early_answers;
mod load;
mod malformed;
mod our_requests;
mod outgoing_calls;
mod raw_phone;
mod refusals;
mod routes;
mod session_timers;
mod talk;
mod through_kamailio;
mod through_sipp;
mod tls;
mod torture;
mod transfers;
mod unfinished_calls;
