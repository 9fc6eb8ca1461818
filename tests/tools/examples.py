#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the examples as a user does and looks at what comes out.

usage: examples.py SOURCE-ROOT EXAMPLES-BUILD-FOLDER MODEL-FOLDER-PROGRAM CASE...
"""
import contextlib
import functools
import glob
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

from tiny_model import TinyModelCase

ROOT = BUILD = None
LIMIT = 120
WIDTH, HEIGHT = 96, 64  # of the results: twice 48 x 32


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Case(TinyModelCase):
    def setUp(self):
        super().setUp()
        self.env["OMP_THREAD_LIMIT"] = "1"  # the tiny model is too small for threads

    def run_it(self, *command, check=True, shell=False):
        done = subprocess.run(command[0] if shell else command, shell=shell, cwd=self.work, env=self.env,
                              capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
        if check:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def launch(self, pipeline):
        return self.run_it(f"gst-launch-1.0 -q {pipeline}", shell=True)

    def clip(self, frames=60, pattern="ball", seconds=2, rate=25, encoder="x264enc"):
        self.launch(f"videotestsrc pattern={pattern} num-buffers={frames} ! video/x-raw,format=I420,width=48,height=32,"
                    f"framerate={rate}/1 ! {encoder} ! h264parse ! queue ! m. "
                    f"audiotestsrc num-buffers={seconds * 43} ! audioconvert ! avenc_aac ! queue ! m. "
                    "mp4mux name=m ! filesink location=in.mp4")

    def count(self, source):
        """Frames of just the right size."""
        text = self.run_it(f"gst-launch-1.0 -v {source} ! decodebin ! video/x-raw,width={WIDTH},height={HEIGHT} "
                           "! fakesink silent=false sync=false", shell=True)
        return len(re.findall(r"last-message = chain ", text))

    @contextlib.contextmanager
    def running(self, *command):
        process = subprocess.Popen(command, cwd=self.work, env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


class Lines(Case):
    def test_playbin(self):
        self.clip(10, seconds=1)
        self.run_it("sh", f"{ROOT}/examples/playbin.sh", "in.mp4", "fakesink", "fakesink")
        os.rename(os.path.join(self.work, "in.mp4"), os.path.join(self.work, "a b#c%41\u00e9.mp4"))
        self.run_it("sh", f"{ROOT}/examples/playbin.sh", "a b#c%41\u00e9.mp4", "fakesink", "fakesink")

    def test_usage(self):
        for script in ("playbin.sh", "file.sh", "latency.sh", "live/relay.sh"):
            done = subprocess.run(["sh", f"{ROOT}/examples/{script}"], capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual(done.returncode, 2, script)
            self.assertIn("usage: ", done.stderr)

    def test_demo(self):
        if not shutil.which("dpkg-query"):
            self.skipTest("the demo installs Debian's packages")
        self.clip(30)
        self.env.update(BUILD=os.path.dirname(BUILD), OUT=os.path.join(self.work, "out"))
        text = self.run_it("sh", f"{ROOT}/examples/demo.sh", os.path.join(self.work, "in.mp4"))
        self.assertIn("out/in-x2.mp4", text)
        self.assertEqual(self.count("filesrc location=out/in-x2.mp4"), 30)
        self.assertIn("audio #", self.run_it("gst-discoverer-1.0", "out/in-x2.mp4"))
        about = self.run_it("gst-discoverer-1.0", "-v", "out/in-before-after.png")
        self.assertIn(f"Width: {WIDTH}", about)
        self.assertIn(f"Height: {HEIGHT}", about)

    def test_file(self):
        self.clip()
        self.run_it("sh", f"{ROOT}/examples/file.sh", "in.mp4", "out.mp4")
        self.assertEqual(self.count("filesrc location=out.mp4"), 60)
        about = self.run_it("gst-discoverer-1.0", "out.mp4")
        self.assertIn("audio #", about)

    def test_silent_file(self):
        self.launch("videotestsrc num-buffers=10 ! video/x-raw,width=48,height=32 ! x264enc ! mp4mux "
                    "! filesink location=in.mp4")
        self.run_it("sh", f"{ROOT}/examples/file.sh", "in.mp4", "out.mp4")
        self.assertEqual(self.count("filesrc location=out.mp4"), 10)

    def test_latency(self):
        self.clip()
        table = self.run_it("sh", f"{ROOT}/examples/latency.sh", "in.mp4", "seed=1")
        found = re.search(r"^yonossr0 +(\d+) +([0-9.]+) +([0-9.]+)$", table, flags=re.M)
        self.assertTrue(found, table)
        self.assertEqual(int(found[1]), 60)
        self.assertTrue(0 < float(found[2]) <= float(found[3]), table)

    def test_appsrc_appsink(self):
        lines = self.run_it(f"{BUILD}/appsrc-appsink", "5").splitlines()
        self.assertEqual(len(lines), 5)
        for i, line in enumerate(lines):
            self.assertRegex(line, rf"^{WIDTH} x {HEIGHT} at 0:00:00\.{i * 40:03}000000, mean \d+\.\d$")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Live(Case):
    """RTSP -> yonossr -> HLS and SRT, both played back while or after it runs."""

    FRAMES = 150

    def test_live(self):
        if not os.path.exists(f"{BUILD}/rtsp-source"):
            self.skipTest("gst-rtsp-server is not installed (libgstrtspserver-1.0-dev)")
        rtsp, srt = free_port(), free_port()
        with self.running(f"{BUILD}/rtsp-source", str(rtsp), str(self.FRAMES)) as server:
            uri = server.stdout.readline().strip()
            self.assertTrue(uri.startswith("rtsp://"), uri)
            with self.running("sh", f"{ROOT}/examples/live/relay.sh", uri, "hls", str(srt), "keep-all") as relay:
                seen = self.watch_srt(srt)
                relay.wait(timeout=LIMIT)
        print(f"SRT: {seen} frames")
        self.assertGreaterEqual(seen, 25)
        with self.web_server() as web:
            played = self.count(f"souphttpsrc location=http://127.0.0.1:{web}/live.m3u8 ! hlsdemux")
        stored = sum(self.count(f"filesrc location={p}") for p in sorted(glob.glob(f"{self.work}/hls/live-*.ts")))
        print(f"HLS: {played} frames played over HTTP, {stored} in the segments, of {self.FRAMES}")
        self.assertEqual(stored, self.FRAMES)
        self.assertEqual(played, self.FRAMES)

    def watch_srt(self, port):
        """A second of the stream; the listener may not be there at once."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            text = self.run_it(f"gst-launch-1.0 -v srtsrc uri=srt://127.0.0.1:{port}?mode=caller ! tsdemux ! h264parse "
                               f"! avdec_h264 ! video/x-raw,width={WIDTH},height={HEIGHT} ! identity eos-after=26 "
                               "! fakesink silent=false sync=false", shell=True, check=False)
            seen = len(re.findall(r"last-message = chain ", text))
            if seen:
                return seen
            time.sleep(0.3)
        return 0

    @contextlib.contextmanager
    def web_server(self):
        handler = functools.partial(QuietHandler, directory=f"{self.work}/hls")
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.server_address[1]
            server.shutdown()


class Player(Case):
    """The player in a window of a virtual screen, driven by keys, judged by screenshots."""

    def setUp(self):
        super().setUp()
        for program in ("Xvfb", "xdotool"):
            if not shutil.which(program):
                self.skipTest(program + " is not installed")
        # Slow, so that no frame is late on a busy machine; each frame coded alike, so that pictures at two times compare.
        self.clip(frames=600, pattern="pinwheel", seconds=1, rate=8,
                  encoder="x264enc pass=quant quantizer=20 key-int-max=1")

    @contextlib.contextmanager
    def screen(self):
        read, write = os.pipe()
        server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "320x240x24", "-nolisten", "tcp"],
                                  pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as file:
            display = file.readline().strip()
        try:
            self.env["DISPLAY"] = ":" + display
            yield
        finally:
            server.terminate()
            server.wait(timeout=10)

    def screenshot(self):
        """Rows of RGB triples of the window's place, at the corner of the screen without a window manager."""
        self.launch(f"ximagesrc num-buffers=1 startx=0 starty=0 endx={WIDTH - 1} endy={HEIGHT - 1} show-pointer=false "
                    "! videoconvert ! video/x-raw,format=RGB ! filesink location=shot.rgb")
        with open(os.path.join(self.work, "shot.rgb"), "rb") as file:
            data = file.read()
        self.assertEqual(len(data), WIDTH * HEIGHT * 3)
        return [data[y * WIDTH * 3:(y + 1) * WIDTH * 3] for y in range(HEIGHT)]

    def settled(self):
        """A screenshot that no longer changes, when the frames before a key press have been shown."""
        last = None
        time.sleep(1)
        for _ in range(60):
            time.sleep(0.25)
            shot = self.screenshot()
            if shot == last and any(max(row) for row in shot):
                return shot
            last = shot
        self.fail("the picture does not come to rest")

    def key(self, name):
        self.run_it("xdotool", "key", name)

    @staticmethod
    def alike(a, b, left, right):
        """Part of the pixels between two columns that are about the same."""
        same = total = 0
        for row_a, row_b in zip(a, b):
            for x in range(left * 3, right * 3):
                same += abs(row_a[x] - row_b[x]) <= 6
                total += 1
        return same / total

    def check_split(self, shot, before, after, at):
        x = round(WIDTH * at)
        self.assertGreater(self.alike(shot, before, 0, x - 3), 0.97)
        self.assertGreater(self.alike(shot, after, x + 3, WIDTH), 0.97)

    def test_keys(self):
        with self.screen(), self.running(f"{BUILD}/player", "in.mp4", "ximagesink") as player:
            after = self.settled()
            # Without a window manager keys go to the window under the pointer.
            self.run_it("xdotool", "mousemove", "20", "20")
            self.key("b")
            before = self.settled()
            self.assertLess(self.alike(before, after, 0, WIDTH), 0.5)
            self.key("b")
            self.assertGreater(self.alike(self.settled(), after, 0, WIDTH), 0.97)
            self.key("s")
            self.check_split(self.settled(), before, after, 0.5)
            for _ in range(3):
                self.key("Right")
            shot = self.settled()
            self.check_split(shot, before, after, 0.8)
            for _ in range(5):
                self.key("Left")
            self.check_split(self.settled(), before, after, 0.3)
            self.key("q")
            text, _ = player.communicate(timeout=20)
            self.assertEqual(player.returncode, 0, text)
            self.assertIn("split at 0.8", text)


if __name__ == "__main__":
    ROOT, BUILD, TinyModelCase.model_maker = (os.path.abspath(p) for p in sys.argv[1:4])
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[4:]])
