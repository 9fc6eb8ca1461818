/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job; see job.h.
 *
 * Its folder OUTPUT.parts holds job.ini (what the parts were made from, so that parts of another job are never
 * joined), one file for each finished segment and, for the moment between the output getting its name and the folder
 * being removed, a file "joined" with the output's fingerprint. A process may be killed at any point.
 */
#include "job.h"
#include "encoder.h"
#include "files.h"
#include "join.h"
#include "parts.h"
#include "reader.h"
#include "streams.h"
#include "work.h"

#include <stdio.h>

typedef struct {
    const UpscaleOptions *options;
    const char *input, *output;
    char *parts; /* folder */
    const Container *container;
    Scan *scan;
    GArray *segments;   /* of Segment */
    GPtrArray *streams; /* of StreamPlan */
    GArray *pending;    /* of guint: segments to do in this run */
    Scaler *scaler;     /* NULL for --join */
    Encoder *encoder;   /* NULL for --join */
    GstCaps *decoded;   /* of the first frame; NULL for --join */
    Progress progress;
} Job;

static void job_clear(Job *j) {
    g_free(j->parts);
    g_clear_pointer(&j->scan, scan_free);
    g_clear_pointer(&j->segments, g_array_unref);
    g_clear_pointer(&j->streams, g_ptr_array_unref);
    g_clear_pointer(&j->pending, g_array_unref);
    g_clear_pointer(&j->scaler, scaler_free);
    g_clear_pointer(&j->encoder, encoder_free);
    gst_clear_caps(&j->decoded);
}

/* ---- what there is ---------------------------------------------------------------------------------------- */

/* The caps of the first frame, which must decode. */
static GstCaps *decode_first(const Scan *scan, GError **error) {
    static const gint never;
    const Segment whole = {.stop = GST_CLOCK_TIME_NONE};
    g_autoptr(GError) cause = NULL;
    g_autoptr(Reader) reader = reader_new(scan, &whole, &cause);
    g_autoptr(GstSample) sample = reader ? reader_pull(reader, &never, &cause) : NULL;
    if (!sample && !cause)
        upscale_fail(&cause, UPSCALE_INPUT, "%s: no frame could be decoded", scan->path);
    if (cause)
        g_propagate_error(error, g_steal_pointer(&cause));
    return sample ? gst_caps_copy(gst_sample_get_caps(sample)) : NULL;
}

/* The caps of an upscaled frame. */
static GstCaps *upscaled_caps(const Job *j) {
    GstCaps *caps = gst_caps_copy(j->decoded);
    GstStructure *s = gst_caps_get_structure(caps, 0);
    int width = 0, height = 0, scale = (int)scaler_get_scale(j->scaler);
    gst_structure_get_int(s, "width", &width);
    gst_structure_get_int(s, "height", &height);
    gst_caps_set_simple(caps, "width", G_TYPE_INT, width * scale, "height", G_TYPE_INT, height * scale, NULL);
    return caps;
}

static gboolean open_devices(Job *j, GError **error) {
    j->decoded = decode_first(j->scan, error);
    j->scaler = j->decoded ? scaler_new(j->options, error) : NULL;
    if (!j->scaler)
        return FALSE;
    g_autofree char *device = scaler_get_device(j->scaler);
    g_autoptr(GstCaps) frames = upscaled_caps(j);
    j->encoder = encoder_choose(j->container, frames, j->options->quality, j->options->encoder,
                                g_str_has_prefix(device, "cuda"), error);
    return j->encoder != NULL;
}

static gboolean look(Job *j, GError **error) {
    j->container = container_of(j->output);
    if (!j->container)
        return upscale_fail(error, UPSCALE_USAGE, "%s: the name must end in one of %s", j->output, container_list());
    j->scan = scan_file(j->input, error);
    if (!j->scan)
        return FALSE;
    j->segments = segments_cut(j->scan);
    j->streams = streams_plan(j->scan, j->container);
    return j->options->join || open_devices(j, error);
}

/* ---- what is to be done ----------------------------------------------------------------------------------- */

static void find_pending(Job *j) {
    guint begin = 0, end = j->segments->len;
    if (j->options->shares)
        segments_share(j->segments, j->options->share, j->options->shares, &begin, &end);
    j->pending = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = begin; i < end; i++) {
        g_autofree char *path = work_segment_path(j->parts, i);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            g_array_append_val(j->pending, i);
    }
}

static guint pending_frames(const Job *j) {
    guint frames = 0;
    for (guint i = 0; i < j->pending->len; i++)
        frames += g_array_index(j->segments, Segment, g_array_index(j->pending, guint, i)).frames;
    return frames;
}

/* Chapters that the container's muxer cannot write, in words; NULL: there are none. */
static const char *lost_chapters(const Job *j) {
    g_autoptr(GstElementFactory) muxer = gst_element_factory_find(j->container->muxer);
    if (!j->scan->toc || !muxer || gst_element_factory_has_interface(muxer, "GstTocSetter"))
        return NULL;
    return "chapters: left out, write an .mkv to keep them";
}

static void describe(const Job *j) {
    int width = 0, height = 0, scale = (int)scaler_get_scale(j->scaler);
    const GstStructure *s = gst_caps_get_structure(j->decoded, 0);
    gst_structure_get_int(s, "width", &width);
    gst_structure_get_int(s, "height", &height);
    g_autofree char *device = scaler_get_device(j->scaler);
    printf("%s -> %s\n", j->input, j->output);
    printf("  %d x %d -> %d x %d, %u frames in %u segments, %u frames in %u segments to do\n", width, height,
           width * scale, height * scale, j->scan->frames->len, j->segments->len, pending_frames(j), j->pending->len);
    printf("  networks: %s; encoder: %s, quality %s\n", device, j->encoder->element, j->options->quality);
    for (guint i = 0; i < j->streams->len; i++)
        printf("  %s\n", ((StreamPlan *)j->streams->pdata[i])->about);
    if (lost_chapters(j))
        printf("  %s\n", lost_chapters(j));
    if (j->scan->damage)
        printf("  damaged: %s\n", j->scan->damage);
}

/* What a user should know even without --dry-run. */
static void warn_of_losses(const Job *j) {
    for (guint i = 0; i < j->streams->len; i++) {
        const StreamPlan *plan = j->streams->pdata[i];
        if (plan->changed)
            progress_say(NULL, "%s: %s", j->input, plan->about);
    }
    if (lost_chapters(j))
        progress_say(NULL, "%s: %s", j->input, lost_chapters(j));
    if (j->scan->damage)
        progress_say(NULL, "%s: damaged, what can be read is upscaled: %s", j->input, j->scan->damage);
}

/* ---- doing it --------------------------------------------------------------------------------------------- */

static gboolean upscale(Job *j, GError **error) {
    Work work = {.scan = j->scan,
                 .segments = j->segments,
                 .pending = j->pending,
                 .parts = j->parts,
                 .encoder = j->encoder,
                 .scaler = j->scaler,
                 .progress = &j->progress};
    progress_begin(&j->progress, j->input, pending_frames(j), j->pending->len, j->options->quiet);
    gboolean ok = j->pending->len == 0 || work_run(&work, error);
    progress_end(&j->progress);
    if (work.damage && !j->scan->damage)
        progress_say(NULL, "%s: damaged: %s", j->input, work.damage);
    if (ok && work.lost_frames > 0)
        progress_say(NULL, "%s: %u frames that the file lists could not be decoded", j->input, work.lost_frames);
    g_free(work.damage);
    return ok;
}

static gboolean join(Job *j, GError **error) {
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < j->segments->len; i++)
        g_ptr_array_add(files, work_segment_path(j->parts, i));
    g_autofree char *temporary = file_temporary(j->output);
    if (!join_segments(files, j->scan, j->streams, j->container, temporary, error) ||
        !parts_mark_joined(j->parts, temporary, error)) {
        remove(temporary);
        return FALSE;
    }
    if (!file_commit(temporary, j->output, j->options->force, error))
        return FALSE;
    if (!j->options->keep_parts)
        parts_remove(j->parts);
    return TRUE;
}

static gboolean join_only(Job *j, GError **error) {
    g_autoptr(GString) missing = g_string_new(NULL);
    for (guint i = 0; i < j->pending->len; i++)
        g_string_append_printf(missing, " %u", g_array_index(j->pending, guint, i));
    if (j->pending->len > 0)
        return upscale_fail(error, UPSCALE_INCOMPLETE, "%s: %u of %u segments are missing:%s", j->output,
                            j->pending->len, j->segments->len, missing->str);
    return join(j, error);
}

static gboolean open_parts(Job *j, GError **error) {
    g_autofree char *device = j->scaler ? scaler_get_device(j->scaler) : NULL;
    PartsOf made_from = {.input = j->input,
                         .options = j->options,
                         .container = j->container->suffix,
                         .device = device,
                         .encoder = j->encoder ? j->encoder->description : NULL,
                         .segments = j->segments->len};
    return parts_open(j->parts, &made_from, error);
}

static gboolean run(Job *j, GError **error) {
    if (!look(j, error))
        return FALSE;
    if (j->options->dry_run && !j->options->join) {
        find_pending(j);
        describe(j);
        return TRUE;
    }
    g_autofree char *folder = g_path_get_dirname(j->output);
    g_autofree char *name = g_path_get_basename(j->output);
    if (!file_make_folder(folder, error) || !open_parts(j, error))
        return FALSE;
    file_remove_stale(folder, name);
    find_pending(j);
    if (j->options->join)
        return join_only(j, error);
    warn_of_losses(j);
    return upscale(j, error) && (j->options->shares || join(j, error));
}

gboolean job_run(const UpscaleOptions *options, const char *input, const char *output, GError **error) {
    Job j = {.options = options, .input = input, .output = output};
    j.parts = options->parts ? g_strdup(options->parts) : g_strconcat(output, ".parts", NULL);
    gboolean there = g_file_test(output, G_FILE_TEST_EXISTS) && !options->dry_run, ok;
    if (there && parts_are_joined(j.parts, output)) {
        parts_remove(j.parts);
        ok = TRUE; /* killed after the output had its name */
    } else if (there && !options->force) {
        ok = upscale_fail(error, UPSCALE_EXISTS, "%s: is there already; --force overwrites it", output);
    } else {
        ok = run(&j, error);
    }
    job_clear(&j);
    return ok;
}
