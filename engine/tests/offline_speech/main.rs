//! The offline speech over its own HTTP, with the real flite and pocketsphinx.
//! The same through a whole call and Kamailio is the load test's.

mod accuracy;
mod http;
mod phone;
mod sentences;
mod server;
