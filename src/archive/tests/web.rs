//! A plain web server, in this process: which requests are made, and what of its answers is believed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;

use super::*;

/// A file and its tag.
type Tagged = (Vec<u8>, Option<String>);

/// What the server has, and what it was asked.
#[derive(Default)]
struct Site {
    files: Mutex<BTreeMap<String, Tagged>>,
    requests: Mutex<Vec<String>>,
}

impl Site {
    /// Serves files with their tags until the test ends.
    fn serve() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Self::default());
        let shared = Arc::clone(&site);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let site = Arc::clone(&shared);
                thread::spawn(move || site.answer(&stream));
            }
        });
        (site, address)
    }

    fn put(&self, path: &str, bytes: &[u8], tag: Option<&str>) {
        self.files.lock().unwrap().insert(path.to_owned(), (bytes.to_vec(), tag.map(str::to_owned)));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    fn answer(&self, stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        while let Some(request) = lines.next() {
            let headers: BTreeMap<String, String> = lines
                .by_ref()
                .take_while(|line| !line.is_empty())
                .filter_map(|line| line.split_once(": ").map(|(key, value)| (key.to_lowercase(), value.to_owned())))
                .collect();
            let (method, path) = request.split_once(' ').unwrap();
            let path = path.split(' ').next().unwrap();
            let range = headers.get("range").map_or("", String::as_str);
            self.requests.lock().unwrap().push(format!("{method} {path} {range}"));
            let (head, body) = self.respond(path, range, headers.get("if-match"));
            let body = if method == "HEAD" { Vec::new() } else { body };
            let mut out = stream;
            out.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    }

    fn respond(&self, path: &str, range: &str, if_match: Option<&String>) -> (String, Vec<u8>) {
        let files = self.files.lock().unwrap();
        let Some((bytes, tag)) = files.get(path) else {
            return ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(), Vec::new());
        };
        if if_match.is_some() && if_match != tag.as_ref() {
            return ("HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n".to_owned(), Vec::new());
        }
        let etag = tag.as_ref().map_or(String::new(), |tag| format!("ETag: {tag}\r\n"));
        let Some((start, end)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            let head = format!("HTTP/1.1 200 OK\r\n{etag}Content-Length: {}\r\n\r\n", bytes.len());
            return (head, bytes.clone());
        };
        let start: usize = start.parse().unwrap();
        if start >= bytes.len() {
            return ("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n".to_owned(), Vec::new());
        }
        let end = (end.parse::<usize>().unwrap() + 1).min(bytes.len());
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\n{etag}Content-Range: bytes {start}-{}/{}\r\nContent-Length: {}\r\n\r\n",
            end - 1,
            bytes.len(),
            end - start
        );
        (head, bytes[start..end].to_vec())
    }
}

fn open(url: &str) -> Result<Weights, ArchiveError> {
    Checkpoint::alone(Path::new("/ignored"), url)?.open()
}

#[test]
fn opening_takes_one_request_and_loading_one_more() {
    let (site, address) = Site::serve();
    site.put(
        "/a/step-1.safetensors",
        &file(&[("a", &vec![1.0; 50_000]), ("b", &[2.0; 9]), ("c", &[3.0])], None),
        Some("\"1\""),
    );
    let url = format!("{address}/a/step-1.safetensors");
    let weights = open(&url).unwrap();
    assert_eq!(site.asked(), ["GET /a/step-1.safetensors bytes=0-65535"]);
    weights.identity(["a"]).unwrap();
    assert_eq!(site.asked(), Vec::<String>::new());
    weights.load(["a", "c"]).unwrap();
    assert_eq!(site.asked().len(), 1);
    weights.hash(["a", "c"]).unwrap();
    assert_eq!(weights.get("a").unwrap().values().unwrap().doubles(), vec![1.0; 50_000]);
    assert_eq!(weights.get("a").unwrap().file, url);
    assert_eq!(site.asked(), Vec::<String>::new(), "what was loaded is there");
    // The URL of one file is a series, too.
    let series = Series::find(Path::new(""), &url, None).unwrap();
    assert_eq!((series.checkpoints()[0].step(), series.checkpoints()[0].location()), (1, url));
    assert_eq!(site.asked(), Vec::<String>::new());
}

#[test]
fn shards_are_found_beside_their_index() {
    let (site, address) = Site::serve();
    site.put("/step%201/m.safetensors.index.json", &index(&[("a", "x.safetensors"), ("b", "y.safetensors")]), None);
    site.put("/step%201/x.safetensors", &file(&[("a", &[1.0])], None), Some("W/\"weak\""));
    site.put("/step%201/y.safetensors", &file(&[("b", &[2.0])], None), None);
    let weights = open(&format!("{address}/step%201/m.safetensors.index.json")).unwrap();
    assert_eq!(site.asked().len(), 3);
    assert_eq!(weights.get("a").unwrap().values().unwrap().doubles(), [1.0]);
    assert_eq!(weights.get("b").unwrap().values().unwrap().doubles(), [2.0]);
    // The server tells nothing of one shard's version, so the content is what counts.
    assert_eq!(weights.identity(["a"]).unwrap(), weights.hash(["a"]).unwrap());
}

#[test]
fn a_file_that_changes_meanwhile_is_refused_whatever_the_server_checks() {
    let (site, address) = Site::serve();
    let [old, new] = [1.0, 2.0].map(|value| file(&[("a", &[value; 8])], None));
    let longer = file(&[("a", &[2.0; 9])], None);
    for (before, after, bytes) in [
        (Some("\"1\""), Some("\"2\""), &new),
        (Some("W/\"1\""), Some("W/\"2\""), &new),
        (None, Some("\"2\""), &new),
        (None, None, &longer),
    ] {
        site.put("/x.safetensors", &old, before);
        let weights = open(&format!("{address}/x.safetensors")).unwrap();
        site.put("/x.safetensors", bytes, after);
        let error = weights.get("a").unwrap().values().unwrap_err().to_string();
        assert!(error.contains("/x.safetensors`") && error.contains("overwritten"), "{before:?} {after:?}: {error}");
    }
}

#[test]
fn missing_and_empty_files_are_told_apart() {
    let (site, address) = Site::serve();
    site.put("/empty.safetensors", b"", None);
    for (name, words) in [("missing", "found no such object"), ("empty", "not a valid safetensors file: found 0 bytes")]
    {
        let error = open(&format!("{address}/{name}.safetensors")).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}.safetensors`")) && error.contains(words), "{error}");
    }
}
