//! The protocol from request to answer, over the in-memory store. No sockets: a test sees what a client would.

mod protocol;
mod world;
