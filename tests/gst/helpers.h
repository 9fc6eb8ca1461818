/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the element share: a tiny model of random weights, harnesses, frames, messages.
 */
#ifndef HELPERS_H
#define HELPERS_H

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "tiny-model.h"
#include "yonos.h"

enum { SCALE = 2 }; /* of the tiny model */

/* The tiny model's folder, from init_tests() to run_tests(). */
extern char *model_folder;

/* First and last thing in main(). */
void init_tests(int *argc, char ***argv);
int run_tests(void);

/* yonossr with the tiny model, one thread, f32, no QoS, and the properties in `extra`. */
GstHarness *harness_new(const char *extra);

/* The same, but whatever the networks are given they give grey, and back-projection gives it the input's colours:
 * frames of one colour come out in that colour, so that every conversion on the way shows. */
GstHarness *grey_harness_new(const char *extra);

/* Raw video caps at 25 frames per second; `extra` is appended. Free with g_free(). */
char *caps_text(const char *format, int width, int height, const char *extra);

/* A frame whose bytes depend on `seed`; smooth, so that the network has something to do. Its time is frame `seed`'s. */
GstBuffer *frame_new(const char *caps_string, int seed);

GBytes *bytes_of(GstBuffer *buffer);

/* Frames `first` to first + count - 1 through an element; what comes out is thrown away. */
void push_frames(GstHarness *h, const char *caps, int first, int count);

/* One frame through a fresh element; the result's bytes. */
GBytes *run_one(const char *options, const char *caps, int seed);

/* Both free both. */
void assert_same(GBytes *a, GBytes *b);
void assert_different(GBytes *a, GBytes *b);
/* Of bytes. */
double mean_difference(GBytes *a, GBytes *b);
/* Of the bytes, those that are not the same: 0 to 1. */
double differing_part(GBytes *a, GBytes *b);

/* The text of the next error, warning or info message; NULL when there is none. Free with g_free(). */
char *wait_for_message(GstBus *bus, GstMessageType type);

/* An unsigned 64-bit field of the "stats" property. */
guint64 stats_count(GstHarness *h, const char *field);

#endif
