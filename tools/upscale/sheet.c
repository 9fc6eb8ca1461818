/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sheet; see sheet.h. GStreamer's elements resample, crop and letter the panels, which are put together here.
 */
#include "sheet.h"
#include "../picture.h"
#include "files.h"
#include "pipeline.h"
#include "reader.h"
#include "scaler.h"
#include "segments.h"

#include <gst/video/video.h>
#include <math.h>
#include <stdio.h>

enum { COLUMNS = 3, MAX_WIDTH = 640, MAX_HEIGHT = 360, ZOOM = 4, GAP = 4 };

typedef struct {
    int scale;
    int width, height; /* of the upscaled frame */
    int panel_width, panel_height;
    const double *place; /* what to show, see UpscaleOptions */
    GPtrArray *panels; /* of GstSample, RGB, row by row */
} Sheet;

/* ---- frames ------------------------------------------------------------------------------------------------ */

/* The frame that is shown at `time`. */
static GstSample *frame_at(const Scan *scan, GstClockTime time, GError **error) {
    static const gint never;
    Segment s = segments_frame(scan, time);
    g_autoptr(GError) cause = NULL;
    g_autoptr(Reader) reader = reader_new(scan, &s, &cause);
    GstSample *sample = reader ? reader_pull(reader, &never, &cause) : NULL;
    if (!sample && !cause)
        upscale_fail(&cause, UPSCALE_INPUT, "%s: the frame at %.3f s could not be decoded", scan->path,
                     (double)time / GST_SECOND);
    if (cause)
        g_propagate_error(error, g_steal_pointer(&cause));
    return sample;
}

static GstSample *upscaled(const UpscaleOptions *options, GstSample *frame, GError **error) {
    g_autoptr(Scaler) scaler = scaler_new(options, error);
    if (!scaler)
        return NULL;
    scaler_push(scaler, gst_sample_ref(frame));
    scaler_finish(scaler);
    g_autoptr(GError) cause = NULL;
    GstSample *result = NULL;
    while (!result && !cause && !upscale_interrupted(&cause))
        result = scaler_pull(scaler, 50 * GST_MSECOND, &cause);
    if (cause)
        g_propagate_error(error, g_steal_pointer(&cause));
    return result;
}

/* A frame through some elements, to RGB. */
static GstSample *through(GstSample *frame, const char *elements, GError **error) {
    g_autofree char *description = g_strdup_printf("appsrc name=source format=time ! videoconvert "
                                                   "! video/x-raw,format=RGB ! %s ! video/x-raw,format=RGB "
                                                   "! appsink name=sink sync=false",
                                                   elements);
    GstElement *pipeline = pipeline_new(description, "the sheet", error);
    if (!pipeline)
        return NULL;
    g_autoptr(GstElement) source = pipeline_get(pipeline, "source"), sink = pipeline_get(pipeline, "sink");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    gst_app_src_push_sample(GST_APP_SRC(source), frame);
    gst_app_src_end_of_stream(GST_APP_SRC(source));
    GstSample *result = gst_app_sink_pull_sample(GST_APP_SINK(sink));
    if (!result && pipeline_check(pipeline, UPSCALE_FAILED, error))
        upscale_fail(error, UPSCALE_FAILED, "a panel of the sheet could not be made");
    pipeline_free(pipeline);
    return result;
}

/* ---- panels ------------------------------------------------------------------------------------------------ */

static char *label(const char *text) {
    g_autoptr(GstElementFactory) overlay = gst_element_factory_find("textoverlay");
    if (!overlay)
        return g_strdup("identity");
    return g_strdup_printf("textoverlay text=\"%s\" valignment=bottom halignment=left shaded-background=true "
                           "font-desc=\"Sans 12\" auto-resize=false xpad=4 ypad=4 ! videoconvert",
                           text);
}

/* Where a part of `part` pixels begins whose middle lies at `place` of `whole` pixels, as far as it fits. */
static int part_begin(int whole, int part, double place) {
    return CLAMP((int)lround(place * whole) - part / 2, 0, whole - part);
}

/* A part of a frame of the upscaled size, 1/zoom of the panel's size, enlarged to it. */
static gboolean add_panel(Sheet *s, GstSample *frame, const char *method, int zoom, const char *text, GError **error) {
    int width = s->panel_width / zoom, height = s->panel_height / zoom;
    int left = part_begin(s->width, width, s->place[0]), top = part_begin(s->height, height, s->place[1]);
    g_autofree char *words = g_strdup_printf("%s, %d %%", text, zoom * 100), *letters = label(words);
    g_autofree char *elements = g_strdup_printf(
        "videoscale method=%s add-borders=false ! video/x-raw,width=%d,height=%d,pixel-aspect-ratio=1/1 "
        "! videocrop left=%d top=%d right=%d bottom=%d ! videoscale method=nearest-neighbour add-borders=false "
        "! video/x-raw,width=%d,height=%d,pixel-aspect-ratio=1/1 ! %s",
        method, s->width, s->height, left, top, s->width - left - width, s->height - top - height, s->panel_width,
        s->panel_height, letters);
    GstSample *panel = through(frame, elements, error);
    if (panel)
        g_ptr_array_add(s->panels, panel);
    return panel != NULL;
}

static gboolean add_rows(Sheet *s, GstSample *small, GstSample *large, GError **error) {
    for (int zoom = 1; zoom <= ZOOM; zoom *= ZOOM)
        if (!add_panel(s, small, "nearest-neighbour", zoom, "input", error) ||
            !add_panel(s, small, "catrom", zoom, "bicubic", error) ||
            !add_panel(s, large, "nearest-neighbour", zoom, "yonossr", error))
            return FALSE;
    return TRUE;
}

static gboolean add_time(Sheet *s, const UpscaleOptions *options, const Scan *scan, double seconds, GError **error) {
    g_autoptr(GstSample) small = frame_at(scan, (GstClockTime)(seconds * GST_SECOND), error);
    g_autoptr(GstSample) large = small ? upscaled(options, small, error) : NULL;
    GstVideoInfo info;
    if (!large)
        return FALSE;
    gst_video_info_from_caps(&info, gst_sample_get_caps(large));
    s->width = info.width;
    s->height = info.height;
    if (s->panel_width == 0) {
        /* Multiples of the zoom, so that every pixel is enlarged alike. */
        s->panel_width = MAX(MIN(s->width, MAX_WIDTH) / ZOOM * ZOOM, ZOOM);
        s->panel_height = MAX(MIN(s->height, MAX_HEIGHT) / ZOOM * ZOOM, ZOOM);
    }
    return add_rows(s, small, large, error);
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static void copy_panel(const Sheet *s, GstSample *sample, Picture *sheet, int left, int top) {
    GstVideoInfo info;
    GstVideoFrame frame;
    gst_video_info_from_caps(&info, gst_sample_get_caps(sample));
    if (!gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ))
        return;
    for (int y = 0; y < s->panel_height; y++) {
        const guint8 *in =
            (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) + (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
        float *out = sheet->samples + ((gsize)(top + y) * (gsize)sheet->width + (gsize)left) * 3;
        for (int i = 0; i < s->panel_width * 3; i++)
            out[i] = in[i] / 255.0f;
    }
    gst_video_frame_unmap(&frame);
}

static gboolean save(const Sheet *s, const UpscaleOptions *options, GError **error) {
    int rows = (int)s->panels->len / COLUMNS;
    g_auto(Picture) sheet = {.width = COLUMNS * s->panel_width + (COLUMNS - 1) * GAP,
                             .height = rows * s->panel_height + (rows - 1) * GAP,
                             .channels = 3,
                             .bits = 8};
    sheet.samples = g_new(float, (gsize)sheet.width *(gsize)sheet.height * 3);
    for (gsize i = 0; i < (gsize)sheet.width * (gsize)sheet.height * 3; i++)
        sheet.samples[i] = 1.0f;
    for (guint i = 0; i < s->panels->len; i++)
        copy_panel(s, s->panels->pdata[i], &sheet, (int)(i % COLUMNS) * (s->panel_width + GAP),
                   (int)(i / COLUMNS) * (s->panel_height + GAP));
    /* picture_write() goes by the name's end. */
    g_autofree char *base = file_temporary(options->output), *temporary = g_strconcat(base, ".png", NULL);
    g_autoptr(GError) cause = NULL;
    if (!picture_write(temporary, &sheet, &cause)) {
        remove(temporary);
        return upscale_fail(error, UPSCALE_OUTPUT, "%s", cause->message);
    }
    return file_commit(temporary, options->output, options->force, error);
}

/* Seconds, in a list with commas. */
static GArray *parse_times(const char *text, GError **error) {
    GArray *times = g_array_new(FALSE, FALSE, sizeof(double));
    g_auto(GStrv) words = g_strsplit(text ? text : "0", ",", -1);
    for (char **word = words; *word; word++) {
        char *end;
        double seconds = g_ascii_strtod(*word, &end);
        if (end == *word || *end || !isfinite(seconds) || seconds < 0 || seconds > 1e9) {
            upscale_fail(error, UPSCALE_USAGE, "--at holds \"%s\", but must be seconds with commas between them",
                         *word);
            g_clear_pointer(&times, g_array_unref);
            break;
        }
        g_array_append_val(times, seconds);
    }
    return times;
}

gboolean sheet_write(const UpscaleOptions *options, GError **error) {
    if (!g_str_has_suffix(options->output, ".png"))
        return upscale_fail(error, UPSCALE_USAGE, "%s: the sheet's name must end in .png", options->output);
    if (!options->force && g_file_test(options->output, G_FILE_TEST_EXISTS))
        return upscale_fail(error, UPSCALE_EXISTS, "%s: is there already; --force overwrites it", options->output);
    g_autoptr(GArray) times = parse_times(options->times, error);
    g_autoptr(Scan) scan = times ? scan_file(options->input, error) : NULL;
    if (!scan)
        return FALSE;
    Sheet s = {.place = options->place, .panels = g_ptr_array_new_with_free_func((GDestroyNotify)gst_sample_unref)};
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < times->len; i++)
        ok = add_time(&s, options, scan, g_array_index(times, double, i), error);
    ok = ok && save(&s, options, error);
    g_ptr_array_unref(s.panels);
    return ok;
}
