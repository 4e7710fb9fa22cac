//! End-to-end tests: Kamailio, real nodes and phones, ours and ones nobody here wrote, on free ports.
//! Nodes are processes; what a test knows of them it got over SIP, RTP, HTTP or from disk.

mod config;
mod demo;
mod drain;
mod edge_calls;
mod edge_deaths;
mod faults;
mod heard;
mod malformed;
mod phone;
mod recovery;
mod traffic;
mod understood;

mod baresip;
mod caller;
mod edge;
mod events;
mod node;
mod ports;
mod process;
mod provider;
mod sip;
mod sipp;
mod stack;
