"""What Google Cloud Storage's XML interface answers, as far as infoplane asks: buckets in a folder, on loopback.

    python3 google.py PORT FOLDER

Listings (version 2, five names a page), whole objects and ranges of them, deletions, and writes with
`x-goog-if-generation-match`. Ends when its standard input is closed.
"""

import itertools
import os
import pathlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 5
folder = pathlib.Path(sys.argv[2])
objects = {}  # path, with the bucket: (bytes, generation)
generations = itertools.count(1_700_000_000_000_000)
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def asked(self):
        parts = urlsplit(self.path)
        return unquote(parts.path).lstrip("/"), {name: found[0] for name, found in parse_qs(parts.query).items()}

    def do_GET(self):
        path, query = self.asked()
        if "list-type" in query:
            return self.list(path.rstrip("/"), query)
        with lock:
            found = objects.get(path)
        if not found:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        body, generation = found
        size, status, headers = len(body), 200, {}
        if wanted := self.headers.get("Range"):
            first, last = wanted.removeprefix("bytes=").split("-")
            first, last = (max(size - int(last), 0), size - 1) if not first else (int(first), min(int(last or size), size - 1))
            body, status = body[first : last + 1], 206
            headers["Content_Range"] = f"bytes {first}-{last}/{size}"
        self.answer(
            status, body, ETag=f'"{generation}"', x_goog_generation=generation,
            Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT", **headers,
        )

    do_HEAD = do_GET

    def list(self, bucket, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        start = query.get("continuation-token", query.get("start-after", ""))
        keys, subfolders, last = [], [], None
        with lock:
            names = sorted(path[len(bucket) + 1 :] for path in objects if path.startswith(bucket + "/"))
            for name in names:
                if not name.startswith(prefix) or name <= start:
                    continue
                head, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
                subfolder = prefix + head + cut if cut else None
                if subfolder and subfolder in subfolders[-1:]:
                    last = name
                    continue
                if len(keys) + len(subfolders) == PAGE:
                    break
                last = name
                subfolders.append(subfolder) if subfolder else keys.append((name, *objects[f"{bucket}/{name}"]))
            else:
                last = None
        text = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2020-01-01T00:00:00Z</LastModified>"
            f"<ETag>&quot;{generation}&quot;</ETag><Generation>{generation}</Generation><Size>{len(body)}</Size></Contents>"
            for name, body, generation in keys
        )
        text += "".join(f"<CommonPrefixes><Prefix>{escape(found)}</Prefix></CommonPrefixes>" for found in subfolders)
        if last:
            text += f"<NextContinuationToken>{escape(last)}</NextContinuationToken>"
        self.answer(200, f"<ListBucketResult>{text}</ListBucketResult>".encode(), Content_Type="application/xml")

    def do_PUT(self):
        path, _ = self.asked()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        needed = self.headers.get("x-goog-if-generation-match")
        with lock:
            found = objects.get(path, (None, 0))[1]
            is_so = needed is None or int(needed) == found
            if is_so:
                objects[path] = (body, next(generations))
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(body)
            generation = objects.get(path, (None, 0))[1]
        if not is_so:
            return self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        self.answer(200, ETag=f'"{generation}"', x_goog_generation=generation)

    def do_DELETE(self):
        path, _ = self.asked()
        with lock:
            found = objects.pop(path, None)
            (folder / path).unlink(missing_ok=True)
        self.answer(204 if found else 404)


threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
