//! End-to-end tests: Kamailio, real nodes and phones, ours and ones nobody here wrote, on free ports.
//! Nodes are processes; what a test knows of them it got over SIP, RTP, HTTP or from disk.

mod compressed;
mod config;
mod demo;
mod drain;
mod edge_asked;
mod edge_calls;
mod edge_deaths;
mod edge_session;
mod encrypted;
mod faults;
mod flood;
mod flows;
mod heard;
mod made_calls;
mod malformed;
mod moved;
mod over_tls;
mod phone;
mod realtime;
mod recovery;
mod referred;
mod talk;
mod tools;
mod traffic;
mod transferred;
mod understood;
mod vouched;
mod websocket;

mod api;
mod bare;
mod baresip;
mod bench;
mod caller;
mod edge;
mod events;
mod fake_edge;
mod node;
mod ports;
mod process;
mod provider;
mod sip;
mod sipp;
mod socket;
mod stack;
