//! A line to the server that breaks: requests that are answered with a fault, cut off, or not at all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered.
    Pass,
    /// It does not reach the server, which is said to have a fault.
    Refuse,
    /// It reaches the server, and the answer is lost.
    Cut,
    /// It does not reach the server, and nothing is said.
    Silence,
}

/// Decides by the number of a request, its method and its path.
type Decide = dyn Fn(usize, &str, &str) -> Fate + Send + Sync;

/// A line to a server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// A line to a port on this machine, for as long as the process lives.
    pub(crate) fn start(server: u16, decide: impl Fn(usize, &str, &str) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, decide): (_, Arc<Decide>) = (Arc::clone(&requests), Arc::new(decide));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (seen, decide) = (Arc::clone(&seen), Arc::clone(&decide));
                thread::spawn(move || {
                    // A client that is gone needs no answer.
                    let _ = carry(&client, server, &seen, &*decide);
                });
            }
        });
        Self { port, requests }
    }

    /// Method and path of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// One request a connection: the answer says that it is closed.
fn carry(client: &TcpStream, server: u16, seen: &Mutex<Vec<String>>, decide: &Decide) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(format!("{method} {path}"));
        seen.len() - 1
    };
    let fate = decide(number, &method, &path);
    let mut answer = Vec::new();
    match fate {
        Fate::Silence => {}
        Fate::Refuse => {
            answer.extend(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        Fate::Pass | Fate::Cut => {
            let mut upstream = TcpStream::connect(("127.0.0.1", server))?;
            upstream.write_all(&[head.as_bytes(), b"Connection: close\r\n\r\n", &body].concat())?;
            upstream.read_to_end(&mut answer)?;
        }
    }
    if fate == Fate::Cut {
        answer.clear();
    }
    let mut client = client;
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Both)
}
