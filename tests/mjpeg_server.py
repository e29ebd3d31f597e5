"""A camera on the network: Motion JPEG over HTTP from this machine, which ends, hangs and changes as a test says."""

import http.server
import threading
from collections.abc import Iterator

import cv2
import numpy as np


class MjpegServer(http.server.ThreadingHTTPServer):
    """Serves noise as Motion JPEG; `hang`, `stop_stream`, `size` and `damaged` are looked at before each picture."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.size = (64, 48)
        self.frozen = self.damaged = False
        self.served = 0
        self.closing, self.hang, self.stop_stream = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=lambda: self.serve_forever(0.01), name="mjpeg server")
        self._thread.start()
        self._noise = np.random.default_rng(1)
        self._last = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/live"

    def jpeg(self) -> bytes:
        self.served += 1
        if not (self.frozen and self._last):
            width, height = self.size
            picture = self._noise.integers(0, 255, (height, width, 3), np.uint8)
            self._last = cv2.imencode(".jpg", picture)[1].tobytes()
        if self.damaged:
            self.damaged = False
            return self._last[: len(self._last) // 2]
        return self._last

    def pictures(self) -> Iterator[bytes]:
        while not self.closing.wait(0.01) and not self.stop_stream.is_set():
            if not self.hang.is_set():
                yield self.jpeg()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error."""

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: MjpegServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.end_headers()
        for jpeg in self.server.pictures():
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
