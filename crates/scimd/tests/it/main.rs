//! End-to-end tests: the real `scimd`, over real sockets, on a real disk.

mod http;
mod transcript;
