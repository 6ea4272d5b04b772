//! A way to the database that takes its time, as a network does: what is sent arrives so much later, in either direction, and
//! no less of it at once.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Opens a port that leads to a socket.
pub(crate) fn to(socket: String, distance: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for here in listener.incoming().flatten() {
            here.set_nodelay(true).expect("an option");
            let there = UnixStream::connect(&socket).expect("the database is there");
            carry(here.try_clone().expect("a socket"), there.try_clone().expect("a socket"), distance);
            carry(there, here, distance);
        }
    });
    port
}

fn carry(mut from: impl Read + Send + 'static, mut to: impl Write + Send + 'static, distance: Duration) {
    let (on_its_way, arriving) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if on_its_way.send((Instant::now() + distance, bytes[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (at, bytes) in arriving {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
    });
}
