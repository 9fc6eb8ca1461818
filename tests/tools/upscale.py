#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What yonos-upscale promises: nothing lost, the same bytes again, everything kept, clear ends.

usage: upscale.py PROGRAM MODEL-FOLDER-PROGRAM CASE...

The tiny model of the tests keeps it quick; inputs are made here by GStreamer. YONOS_SEED repeats the random points.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

from tiny_model import TinyModelCase

PROGRAM = None
OK, FAILED, USAGE, INPUT, OUTPUT, EXISTS, MODEL, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130
KILLS = 20
LIMIT = 240  # seconds for one command
SIZE = "width=48,height=32"


def launch(work, pipeline):
    subprocess.run(f"gst-launch-1.0 -q {pipeline}", shell=True, cwd=work, check=True, timeout=LIMIT,
                   stdin=subprocess.DEVNULL)


def video(frames=150, size=SIZE, rate="25/1", form="I420", encoder="x264enc bframes=2 key-int-max=40 ! h264parse"):
    return (f"videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,format={form},{size},framerate={rate} "
            f"! {encoder} ! queue ! m.")


def audio(seconds=6, wave="sine", tags="", encoder="avenc_aac"):
    inject = f'taginject tags="{tags}" ! ' if tags else ""
    return (f"audiotestsrc wave={wave} num-buffers={seconds * 43} ! audio/x-raw,rate=44100 ! audioconvert ! {encoder} "
            f"! {inject}queue ! m.")


class Case(TinyModelCase):
    def path(self, *names):
        return os.path.join(self.work, *names)

    def upscale(self, *arguments, code=OK, **more):
        done = subprocess.run([*PROGRAM, *arguments], cwd=self.work, env=self.env, timeout=LIMIT, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, **more)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if code != OK:
            self.assertIn("yonos-upscale: ", done.stderr)
        return done.stdout + done.stderr

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def frames(self, name, size):
        """The times of the decoded frames, each of this size."""
        done = subprocess.run(
            f"gst-launch-1.0 -v filesrc location={name} ! decodebin ! video/x-raw,{size} ! fakesink silent=false",
            shell=True, cwd=self.work, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.findall(r"last-message = chain .*?pts: ([0-9:.]+)", done.stdout)

    def about(self, name):
        return subprocess.run(["gst-discoverer-1.0", "-v", "-c", name], cwd=self.work, capture_output=True, text=True,
                              timeout=LIMIT, check=True).stdout

    def left_over(self):
        """Names that no run may leave behind."""
        return [n for n in os.listdir(self.work) if n.endswith((".parts", ".tmp"))]


class Resume(Case):
    """Killed anywhere and started again: the bytes of an unbroken run."""

    def one(self, kind, kills):
        launch(self.work, f"{video()} {audio()} mp4mux name=m ! filesink location=in.mp4")
        begun = time.monotonic()
        self.upscale("in.mp4", "whole" + kind)
        whole = time.monotonic() - begun
        expected = self.read("whole" + kind)
        seed = int(os.environ.get("YONOS_SEED", random.randrange(1 << 30)))
        print(f"YONOS_SEED={seed}, an unbroken run takes {whole:.2f} s")
        points = random.Random(seed)
        stopped = resumed = 0
        for i in range(kills):
            process = subprocess.Popen([*PROGRAM, "--quiet", "in.mp4", "out" + kind], cwd=self.work, env=self.env,
                                       stdin=subprocess.DEVNULL)
            time.sleep(points.uniform(0.05, whole))
            process.send_signal(signal.SIGKILL)
            stopped += process.wait() == -signal.SIGKILL
            parts = self.path("out" + kind + ".parts")
            resumed += os.path.isdir(parts) and any(n.endswith(".segment") for n in os.listdir(parts))
            if os.path.isdir(parts) or not os.path.exists(self.path("out" + kind)):  # else it had only to exit
                self.upscale("in.mp4", "out" + kind)
            self.assertEqual(self.read("out" + kind), expected, f"kill {i}")
            self.assertEqual(self.left_over(), [])
            os.remove(self.path("out" + kind))
        print(f"{stopped} of {kills} runs killed, {resumed} of them with finished segments, all results alike")
        self.assertGreaterEqual(stopped, kills // 2)
        self.assertGreaterEqual(resumed, 1)

    def test_mp4(self):
        self.one(".mp4", KILLS)

    def test_matroska(self):
        self.one(".mkv", 4)

    def test_after_the_last_step(self):
        """Killed between the output getting its name and the parts being removed."""
        launch(self.work, f"{video(40)} mp4mux name=m ! filesink location=in.mp4")
        self.upscale("--keep-parts", "in.mp4", "out.mp4")
        before = self.read("out.mp4")
        self.assertIn("joined", os.listdir(self.path("out.mp4.parts")))
        self.upscale("in.mp4", "out.mp4")
        self.assertEqual(self.left_over(), [])
        self.assertEqual(self.read("out.mp4"), before)

    def test_signal(self):
        launch(self.work, f"{video()} mp4mux name=m ! filesink location=in.mp4")
        self.upscale("in.mp4", "whole.mp4")
        process = subprocess.Popen([*PROGRAM, "in.mp4", "out.mp4"], cwd=self.work, env=self.env,
                                   stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        while not os.path.isdir(self.path("out.mp4.parts")):
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, text = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, INTERRUPTED, text)
        print(f"stopped {time.monotonic() - begun:.2f} s after Ctrl-C")
        self.assertFalse([n for n in os.listdir(self.path("out.mp4.parts")) if n.endswith(".tmp")])
        self.upscale("in.mp4", "out.mp4")
        self.assertEqual(self.read("out.mp4"), self.read("whole.mp4"))


class Shares(Case):
    """One video over several processes."""

    def test_shares(self):
        launch(self.work, f"{video(200)} {audio(8)} mp4mux name=m ! filesink location=in.mp4")
        self.upscale("in.mp4", "whole.mp4")
        self.upscale("--join", "in.mp4", "out.mp4", code=INCOMPLETE)
        for share in (3, 1):
            self.upscale("--segment", f"{share}/3", "in.mp4", "out.mp4")
        text = self.upscale("--join", "in.mp4", "out.mp4", code=INCOMPLETE)
        self.assertIn("segments are missing", text)
        self.upscale("--segment=2/3", "in.mp4", "out.mp4")
        self.upscale("--join", "in.mp4", "out.mp4")
        self.assertEqual(self.read("out.mp4"), self.read("whole.mp4"))
        self.assertEqual(self.left_over(), [])

    def test_more_shares_than_segments(self):
        launch(self.work, f"{video(40)} mp4mux name=m ! filesink location=in.mp4")
        self.upscale("in.mp4", "whole.mp4")
        for share in range(1, 6):
            self.upscale("--segment", f"{share}/5", "in.mp4", "out.mp4")
        self.upscale("--join", "in.mp4", "out.mp4")
        self.assertEqual(self.read("out.mp4"), self.read("whole.mp4"))


class Disk(Case):
    """A full disk: exit status 4, finished segments stay, and with room the result is the same."""

    def test_full(self):
        launch(self.work, f"{video(200)} {audio(8)} mp4mux name=m ! filesink location=in.mp4")
        self.upscale("-q", "lossless", "--keep-parts", "in.mp4", "whole.mp4")
        parts = self.path("whole.mp4.parts")
        need = sum(os.path.getsize(os.path.join(parts, n)) for n in os.listdir(parts))
        # Room for half of the segments, then for the segments but not for the output beside them.
        for room in (need // 2, need + os.path.getsize(self.path("whole.mp4")) // 2):
            self.with_room(room)

    def with_room(self, room):
        small = self.path("small")
        os.mkdir(small)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room // 1024}k", "tmpfs", small],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("no tmpfs may be mounted here: " + mounted.stderr.strip())
        try:
            self.fill(small)
        finally:
            subprocess.run(["umount", small], check=True)
            os.rmdir(small)

    def fill(self, small):
        with open(os.path.join(small, "mine.txt"), "w", encoding="utf-8") as file:
            file.write("the user's own")
        for _ in range(2):
            text = self.upscale("-q", "lossless", "in.mp4", "small/out.mp4", code=OUTPUT)
            self.assertIn("small/out.mp4", text)
            self.assertFalse(os.path.exists(os.path.join(small, "out.mp4")))
            self.assertFalse([n for _, _, names in os.walk(small) for n in names if n.endswith(".tmp")])
            kept = [n for n in os.listdir(os.path.join(small, "out.mp4.parts")) if n.endswith(".segment")]
            self.assertGreaterEqual(len(kept), 1)
        print(f"{len(kept)} segments kept; {text.strip().splitlines()[-1]}")
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        self.upscale("-q", "lossless", "in.mp4", "small/out.mp4")
        self.assertEqual(self.read("small/out.mp4"), self.read("whole.mp4"))
        self.assertEqual(sorted(os.listdir(small)), ["mine.txt", "out.mp4"])

    def test_no_folder(self):
        launch(self.work, f"{video(5)} mp4mux name=m ! filesink location=in.mp4")
        with open(self.path("file"), "w", encoding="utf-8"):
            pass
        self.upscale("in.mp4", "file/out.mp4", code=OUTPUT)
        self.upscale("in.mp4", "new/folder/out.mp4")
        self.assertTrue(os.path.exists(self.path("new/folder/out.mp4")))


class Inputs(Case):
    """What is in the file comes out, twice as large; what cannot be read is said."""

    def check(self, name, frames, size, out="out.mp4"):
        self.upscale(name, out)
        self.assertEqual(len(self.frames(out, size)), frames)
        self.assertEqual(self.left_over(), [])

    def test_odd_size(self):
        source = video(40, size="width=49,height=33", form="Y444")
        launch(self.work, f"{source} matroskamux name=m ! filesink location=in.mkv")
        self.check("in.mkv", 40, "width=98,height=66", "out.mkv")

    @staticmethod
    def steps(times):
        """Milliseconds since the first frame: containers may count from elsewhere, Matroska has no finer ones."""
        seconds = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in (t.split(":") for t in times)]
        return [round((s - seconds[0]) * 1000) for s in seconds]

    def test_variable_rate(self):
        # About every third frame is left out.
        launch(self.work, f"videotestsrc pattern=ball num-buffers=150 ! video/x-raw,{SIZE},framerate=25/1 ! identity "
                          "drop-probability=0.3 ! x264enc bframes=2 "
                          "key-int-max=40 ! h264parse ! queue ! m. matroskamux name=m ! filesink location=in.mkv")
        before = self.frames("in.mkv", SIZE)
        for out in ("out.mkv", "out.mp4"):
            self.upscale("in.mkv", out)
            after = self.frames(out, "width=96,height=64")
            self.assertEqual(len(after), len(before))
            self.assertEqual(self.steps(after), self.steps(before))

    def test_no_audio(self):
        launch(self.work, f"{video(40)} mp4mux name=m ! filesink location=in.mp4")
        self.check("in.mp4", 40, "width=96,height=64")
        self.assertNotIn("audio", self.about("out.mp4"))

    def subtitled(self):
        """Two languages of sound, subtitles, a title."""
        with open(self.path("text.srt"), "w", encoding="utf-8") as file:
            file.write("1\n00:00:00,500 --> 00:00:01,500\nHello & goodbye\n\n"
                       "2\n00:00:03,000 --> 00:00:04,000\n<i>second</i>\n")
        launch(self.work, f"{video()} {audio(tags='language-code=en')} "
                          f"{audio(wave='saw', tags='language-code=fr', encoder='vorbisenc')} "
                          "filesrc location=text.srt ! subparse ! 'text/x-raw,format=pango-markup' ! capssetter "
                          "replace=true caps=text/x-raw,format=utf8 ! queue ! m. "
                          "matroskamux name=m ! taginject tags=title=nothing ! filesink location=in.mkv")

    def test_two_audio_tracks_and_subtitles(self):
        self.subtitled()
        for out in ("out.mkv", "out.mp4"):
            text = self.upscale("in.mkv", out)
            about = self.about(out)
            self.assertEqual(len(re.findall(r"^ *audio #", about, flags=re.M)), 2, about)
            self.assertEqual(len(re.findall(r"^ *subtitles #", about, flags=re.M)), 1, about)
            for language in ("en", "fr"):
                self.assertIn(f"language code: {language}", about)
            self.assertEqual("converted to AAC" in text, out == "out.mp4", text)
            words = subprocess.run(f"gst-launch-1.0 -q filesrc location={out} ! parsebin name=p p. ! text/x-raw "
                                   "! fdsink", shell=True, cwd=self.work, capture_output=True, timeout=LIMIT).stdout
            self.assertIn(b"second", words)
            self.assertEqual(len(self.frames(out, "width=96,height=64")), 150)

    @staticmethod
    def ebml(name, *parts):
        """An element of Matroska, the length in eight bytes."""
        body = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
        return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body

    def chapter(self, number, second, title):
        return self.ebml("b6", self.ebml("73c4", bytes([number])),
                         self.ebml("91", (second * 10**9).to_bytes(8, "big")),
                         self.ebml("92", ((second + 2) * 10**9).to_bytes(8, "big")),
                         self.ebml("80", self.ebml("85", title), self.ebml("437c", "eng")))

    def test_tags_and_chapters(self):
        launch(self.work, f"{video(100)} matroskamux name=m streamable=true ! filesink location=plain.mkv")
        plain = self.read("plain.mkv")
        cluster = plain.index(bytes.fromhex("1f43b675"))
        chapters = self.ebml("1043a770", self.ebml("45b9", self.ebml("45bc", b"\1"), self.chapter(1, 0, "Dusk"),
                                                   self.chapter(2, 2, "Dawn")))
        artist = self.ebml("67c8", self.ebml("45a3", "ARTIST"), self.ebml("4487", "Nobody"))
        tags = self.ebml("1254c367", self.ebml("7373", self.ebml("63c0"), artist))
        with open(self.path("in.mkv"), "wb") as file:
            file.write(plain[:cluster] + chapters + tags + plain[cluster:])
        for out, kept in (("out.mkv", True), ("out.mp4", False)):
            text = self.upscale("in.mkv", out)
            about = self.about(out)
            self.assertIn("artist: Nobody", about)
            self.assertEqual(all(title in about for title in ("Dusk", "Dawn")), kept, about)
            self.assertEqual("chapters: left out" in text, not kept, text)
            self.assertRegex(text, r"in\.mkv: 100 of 100 frames, 100\.0 %, \d+ of \d+ segments, [0-9.]+ fps")

    def test_ten_bits(self):
        # x265 takes no smaller frames.
        source = video(40, size="width=64,height=64", form="I420_10LE", encoder="x265enc key-int-max=20 ! h265parse")
        launch(self.work, f"{source} mp4mux name=m ! filesink location=in.mp4")
        self.check("in.mp4", 40, "width=128,height=128,format=I420_10LE")

    def test_interlaced(self):
        launch(self.work, f"videotestsrc num-buffers=40 ! video/x-raw,{SIZE},framerate=25/1 ! interlace "
                          "field-pattern=1:1 ! x264enc interlaced=true ! h264parse ! matroskamux "
                          "! filesink location=in.mkv")
        self.upscale("in.mkv", "out.mkv")
        self.assertGreaterEqual(len(self.frames("out.mkv", "width=96,height=64,interlace-mode=progressive")), 20)

    def test_transport_stream(self):
        """No index to trust: decoded from the beginning, with the same frames."""
        launch(self.work, f"{video(100)} {audio(4)} mpegtsmux name=m ! filesink location=in.ts")
        self.check("in.ts", 100, "width=96,height=64")
        self.assertIn("audio #", self.about("out.mp4"))

    def test_unreadable(self):
        with open(self.path("text.txt"), "w", encoding="utf-8") as file:
            file.write("no video\n" * 100)
        with open(self.path("empty.mp4"), "w", encoding="utf-8"):
            pass
        launch(self.work, "audiotestsrc num-buffers=20 ! vorbisenc ! oggmux ! filesink location=sound.ogg")
        for name in ("missing.mp4", "text.txt", "empty.mp4", "sound.ogg"):
            text = self.upscale(name, "out.mp4", code=INPUT)
            self.assertIn(name, text)
        self.assertFalse([n for n in os.listdir(self.work) if n.startswith("out")])

    def test_truncated(self):
        launch(self.work, f"{video()} {audio()} matroskamux name=m ! filesink location=in.mkv")
        launch(self.work, f"{video()} {audio()} mp4mux faststart=true name=m ! filesink location=in.mp4")
        launch(self.work, f"{video()} {audio()} mp4mux name=m ! filesink location=late.mp4")
        for name in ("in.mkv", "in.mp4", "late.mp4"):
            whole = self.read(name)
            with open(self.path("cut-" + name), "wb") as file:
                file.write(whole[:len(whole) // 2])
        for name in ("cut-in.mkv", "cut-in.mp4"):
            text = self.upscale(name, "out-" + name)
            frames = len(self.frames("out-" + name, "width=96,height=64"))
            self.assertTrue(40 < frames < 120, frames)
            self.assertIn("damaged", text)
            print(f"{name}: {frames} of 150 frames; {text.strip()}")
        # The index at the end is gone: nothing can be read.
        self.assertIn("cut-late.mp4", self.upscale("cut-late.mp4", "out.mp4", code=INPUT))
        self.assertEqual(self.left_over(), [])


class Folders(Case):
    def test_mixed(self):
        os.makedirs(self.path("in/below"))
        launch(self.work, f"{video(40)} mp4mux name=m ! filesink location=in/a.mp4")
        launch(self.work, f"{video(40, encoder='avenc_mpeg4')} avimux name=m ! filesink location=in/b.avi")
        launch(self.work, f"{video(40)} {audio(2)} matroskamux name=m ! filesink location=in/below/c.mkv")
        shutil.copy(self.path("in/a.mp4"), self.path("in/name with spaces & \"quotes\".mp4"))
        with open(self.path("in/notes.txt"), "w", encoding="utf-8") as file:
            file.write("not a video\n")
        launch(self.work, f"videotestsrc num-buffers=1 ! video/x-raw,{SIZE} ! pngenc ! filesink location=in/image.png")
        with open(self.path("in/broken.mp4"), "wb") as file:
            file.write(self.read("in/a.mp4")[:500])
        made = ["a.mp4", "b.avi.mkv", "below/c.mkv", "name with spaces & \"quotes\".mp4"]
        text = self.upscale("in", "out", code=INPUT)
        self.assertIn("broken.mp4", text)
        self.assertIn("4 done, 0 there already, 2 no videos, 1 failed", text)
        found = [os.path.relpath(os.path.join(place, n), self.path("out"))
                 for place, _, names in os.walk(self.path("out")) for n in names]
        self.assertEqual(sorted(found), sorted(made))
        self.assertEqual(len(self.frames("out/b.avi.mkv", "width=96,height=64")), 40)
        os.remove(self.path("in/broken.mp4"))
        os.remove(self.path("out/a.mp4"))
        before = os.stat(self.path("out/b.avi.mkv")).st_mtime_ns
        self.assertIn("1 done, 3 there already", self.upscale("in", "out"))
        self.assertEqual(os.stat(self.path("out/b.avi.mkv")).st_mtime_ns, before)


class Options(Case):
    def setUp(self):
        super().setUp()
        launch(self.work, f"{video(60)} mp4mux name=m ! filesink location=in.mp4")

    def test_usage(self):
        for arguments in ([], ["in.mp4"], ["in.mp4", "out.xyz"], ["--quality", "fine", "in.mp4", "out.mp4"],
                          ["--encoder", "none", "in.mp4", "out.mp4"], ["--encoder", "x264enc", "in.mp4", "out.webm"],
                          ["--segment", "3/2", "in.mp4", "out.mp4"], ["--segment", "x", "in.mp4", "out.mp4"],
                          ["--compare=half", "in.mp4", "out.mp4"], ["--precision", "f8", "in.mp4", "out.mp4"],
                          ["--tile-size", "-4", "in.mp4", "out.mp4"], ["--seed", "-1", "in.mp4", "out.mp4"],
                          ["--max-vram", "-1", "in.mp4", "out.mp4"],
                          ["--steadiness", "1", "in.mp4", "out.mp4"],
                          ["--backend", "cuda:x", "in.mp4", "out.mp4"], ["--backend", "gpu", "in.mp4", "out.mp4"],
                          ["--at", "1", "in.mp4", "out.mp4"],
                          ["--sheet", "--at", "x", "in.mp4", "out.png"],
                          ["--around", "0,0", "in.mp4", "out.mp4"], ["--sheet", "--around", "1", "in.mp4", "out.png"],
                          ["--sheet", "--around", "0,1.1", "in.mp4", "out.png"],
                          ["--sheet", "--around", "0,1,1", "in.mp4", "out.png"],
                          ["--nonsense", "in.mp4", "out.mp4"]):
            self.upscale(*arguments, code=USAGE)
        self.assertFalse([n for n in os.listdir(self.work) if n.startswith("out")])
        self.assertIn("--segment", self.upscale("--help"))
        self.assertRegex(self.upscale("--version"), r"yonos-upscale \d+\.\d+\.\d+")

    def test_manual(self):
        """The manual page has every option of --help."""
        page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/man/yonos-upscale.1")
        with open(page, encoding="utf-8") as file:
            text = file.read().replace("\\-", "-")
        options = set(re.findall(r"--[a-z-]+", self.upscale("--help"))) - {"--help", "--help-all", "--help-gst"}
        self.assertGreaterEqual(len(options), 20)
        self.assertEqual([o for o in sorted(options) if o not in text], [])

    def test_model(self):
        self.assertIn("nowhere", self.upscale("--model", "nowhere", "in.mp4", "out.mp4", code=MODEL))

    def test_dry_run(self):
        text = self.upscale("--dry-run", "in.mp4", "out.mp4")
        self.assertIn("48 x 32 -> 96 x 64, 60 frames", text)
        self.assertFalse([n for n in os.listdir(self.work) if n.startswith("out")])

    def test_never_overwrites(self):
        with open(self.path("out.mp4"), "w", encoding="utf-8") as file:
            file.write("mine")
        self.upscale("in.mp4", "out.mp4", code=EXISTS)
        self.assertEqual(self.read("out.mp4"), b"mine")
        self.upscale("--force", "in.mp4", "out.mp4")
        self.assertEqual(len(self.frames("out.mp4", "width=96,height=64")), 60)

    def test_parts_of_another_job(self):
        self.upscale("--segment", "1/2", "in.mp4", "out.mp4")
        text = self.upscale("--seed", "7", "in.mp4", "out.mp4", code=EXISTS)
        self.assertIn("seed is 0 there and 7 now", text)
        self.upscale("--seed", "7", "--force", "in.mp4", "out.mp4")
        self.assertEqual(self.left_over(), [])

    def test_encoders_and_qualities(self):
        sizes = {}
        for quality in ("draft", "good", "best", "lossless"):
            self.upscale("--quality", quality, "in.mp4", quality + ".mkv")
            sizes[quality] = os.path.getsize(self.path(quality + ".mkv"))
        self.assertEqual(sorted(sizes, key=sizes.get), ["draft", "good", "best", "lossless"])
        self.upscale("--encoder", "x265enc", "in.mp4", "hevc.mp4")
        self.assertIn("H.265", self.about("hevc.mp4"))
        self.upscale("in.mp4", "out.webm")
        self.assertIn("VP9", self.about("out.webm"))
        self.assertEqual(len(self.frames("out.webm", "width=96,height=64")), 60)

    def test_compare(self):
        self.upscale("in.mp4", "plain.mp4")
        self.upscale("--compare", "split", "in.mp4", "split.mp4")
        self.upscale("--compare=side-by-side", "in.mp4", "side.mp4")
        pictures = {self.read(n) for n in ("plain.mp4", "split.mp4", "side.mp4")}
        self.assertEqual(len(pictures), 3)
        self.assertEqual(len(self.frames("split.mp4", "width=96,height=64")), 60)

    def test_sheet(self):
        self.upscale("--sheet", "--at", "0,1.5", "in.mp4", "sheet.png")
        self.assertTrue(self.read("sheet.png").startswith(b"\x89PNG"))
        # Two times, two rows each, of three panels of 96 x 64 with 4 pixels between.
        self.assertIn(f"Width: {3 * 96 + 2 * 4}", self.about("sheet.png"))
        self.assertIn(f"Height: {4 * 64 + 3 * 4}", self.about("sheet.png"))
        self.upscale("--sheet", "in.mp4", "sheet.png", code=EXISTS)

    def test_sheet_place(self):
        """A corner shows something else than the middle, and places beyond the corner nothing else than the corner."""
        for name, place in (("middle", "0.5,0.5"), ("corner", "0,1"), ("beside", "0.02,0.98")):
            self.upscale("--sheet", "--around", place, "in.mp4", name + ".png")
        self.upscale("--sheet", "in.mp4", "default.png")
        self.assertEqual(self.read("default.png"), self.read("middle.png"))
        self.assertEqual(self.read("beside.png"), self.read("corner.png"))
        self.assertNotEqual(self.read("corner.png"), self.read("middle.png"))


if __name__ == "__main__":
    # One thread: the tiny model's work is too small to share, and other tests may run beside.
    PROGRAM, TinyModelCase.model_maker = [os.path.abspath(sys.argv[1]), "--threads=1"], os.path.abspath(sys.argv[2])
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
