/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Encoders; see encoder.h.
 */
#include "encoder.h"
#include "status.h"

#include <gst/video/video.h>
#include <string.h>

enum { QUALITIES = 4 };
static const char *const qualities[QUALITIES] = {"draft", "good", "best", "lossless"};

typedef struct {
    const char *element;
    const char *codec; /* media type */
    gboolean hardware;
    int bits;                        /* a sample at most */
    int smallest;                    /* width and height that it takes; x265 3.5 overruns its buffers below 64 */
    const char *common;              /* settings of every quality */
    const char *settings[QUALITIES]; /* NULL: it cannot */
    const char *parser;              /* with what a muxer wants */
} Kind;

#define H264 "h264parse ! video/x-h264,stream-format=avc,alignment=au"
#define H265 "h265parse ! video/x-h265,stream-format=hvc1,alignment=au"
/* x265: the number of threads changes the result unless it is fixed. */
#define X265 "pools=4:frame-threads=2:log-level=none:repeat-headers=0:info=0"

/* In the order of preference among those that fit. */
static const Kind kinds[] = {
    {.element = "nvh264enc",
     .codec = "video/x-h264",
     .hardware = TRUE,
     .bits = 8,
     .smallest = 16,
     .common = "preset=hq rc-mode=constqp",
     .settings = {"qp-const=26", "qp-const=20", "qp-const=15", NULL},
     .parser = H264},
    {.element = "vah264enc",
     .codec = "video/x-h264",
     .hardware = TRUE,
     .bits = 8,
     .smallest = 16,
     .common = "rate-control=cqp",
     .settings = {"qpi=26 qpp=27 qpb=28", "qpi=20 qpp=21 qpb=22", "qpi=15 qpp=16 qpb=17", NULL},
     .parser = H264},
    {.element = "x264enc",
     .codec = "video/x-h264",
     .hardware = FALSE,
     .bits = 8,
     .smallest = 16,
     .common = "threads=4 key-int-max=250",
     .settings = {"pass=qual quantizer=24 speed-preset=veryfast", "pass=qual quantizer=19 speed-preset=faster",
                  "pass=qual quantizer=14 speed-preset=slow", "pass=quant quantizer=0 speed-preset=medium"},
     .parser = H264},
    {.element = "nvh265enc",
     .codec = "video/x-h265",
     .hardware = TRUE,
     .bits = 10,
     .smallest = 16,
     .common = "preset=hq rc-mode=constqp",
     .settings = {"qp-const=28", "qp-const=22", "qp-const=17", NULL},
     .parser = H265},
    {.element = "vah265enc",
     .codec = "video/x-h265",
     .hardware = TRUE,
     .bits = 10,
     .smallest = 16,
     .common = "rate-control=cqp",
     .settings = {"qpi=28 qpp=29 qpb=30", "qpi=22 qpp=23 qpb=24", "qpi=17 qpp=18 qpb=19", NULL},
     .parser = H265},
    {.element = "x265enc",
     .codec = "video/x-h265",
     .hardware = FALSE,
     .bits = 10,
     .smallest = 64,
     .common = "key-int-max=250",
     .settings = {"speed-preset=superfast option-string=\"crf=26:" X265 "\"",
                  "speed-preset=fast option-string=\"crf=21:" X265 "\"",
                  "speed-preset=slow option-string=\"crf=16:" X265 "\"",
                  "speed-preset=fast option-string=\"lossless=1:" X265 "\""},
     .parser = H265},
    {.element = "vp9enc",
     .codec = "video/x-vp9",
     .hardware = FALSE,
     .bits = 8,
     .smallest = 1,
     .common = "threads=4 row-mt=false end-usage=cq target-bitrate=0 bits-per-pixel=1.0 keyframe-max-dist=250 "
               "lag-in-frames=16",
     .settings = {"cq-level=34 deadline=1 cpu-used=7", "cq-level=24 deadline=1000000 cpu-used=4",
                  "cq-level=14 deadline=1000000 cpu-used=1", NULL},
     .parser = "vp9parse"},
};

static const struct {
    Container container;
    const char *codecs[4];
} containers[] = {
    {{".mp4", "mp4mux"}, {"video/x-h264", "video/x-h265", "video/x-vp9"}},
    {{".m4v", "mp4mux"}, {"video/x-h264", "video/x-h265", "video/x-vp9"}},
    {{".mov", "qtmux"}, {"video/x-h264", "video/x-h265"}},
    {{".mkv", "matroskamux"}, {"video/x-h264", "video/x-h265", "video/x-vp9"}},
    {{".webm", "webmmux"}, {"video/x-vp9"}},
};

const Container *container_of(const char *path) {
    g_autofree char *lower = g_ascii_strdown(path, -1);
    for (guint i = 0; i < G_N_ELEMENTS(containers); i++)
        if (g_str_has_suffix(lower, containers[i].container.suffix))
            return &containers[i].container;
    return NULL;
}

const char *container_list(void) {
    return ".mp4, .m4v, .mov, .mkv, .webm";
}

static gboolean holds(const Container *container, const char *codec) {
    for (guint i = 0; i < G_N_ELEMENTS(containers); i++)
        for (guint j = 0; &containers[i].container == container && containers[i].codecs[j]; j++)
            if (g_str_equal(containers[i].codecs[j], codec))
                return TRUE;
    return FALSE;
}

static int quality_index(const char *name) {
    for (int i = 0; i < QUALITIES; i++)
        if (g_str_equal(qualities[i], name))
            return i;
    return -1;
}

gboolean encoder_is_quality(const char *name) {
    return quality_index(name) >= 0;
}

static int bits_of(const GstVideoInfo *info) {
    return GST_VIDEO_INFO_COMP_DEPTH(info, 0) > 8 ? 10 : 8;
}

/*
 * The pixel format to encode. 4:2:0 is what players decode; 4:4:4 where nothing may be lost, and for odd sizes,
 * which have no 4:2:0 in H.264.
 */
static const char *pixel_format(const GstVideoInfo *info, int bits, int quality, const Kind *kind) {
    gboolean odd = (GST_VIDEO_INFO_WIDTH(info) | GST_VIDEO_INFO_HEIGHT(info)) & 1;
    gboolean full = !kind->hardware && !g_str_equal(kind->codec, "video/x-vp9") &&
                    (odd || (g_str_equal(qualities[quality], "lossless") &&
                             GST_VIDEO_INFO_COMP_WIDTH(info, 1) == GST_VIDEO_INFO_WIDTH(info)));
    if (kind->hardware)
        return bits > 8 ? "P010_10LE" : "NV12";
    if (bits > 8)
        return full ? "Y444_10LE" : "I420_10LE";
    return full ? "Y444" : "I420";
}

static Encoder *make(const Kind *kind, const GstVideoInfo *info, int quality) {
    int bits = MIN(bits_of(info), kind->bits);
    Encoder *encoder = g_new0(Encoder, 1);
    encoder->element = kind->element;
    encoder->description =
        g_strdup_printf("videoconvert ! video/x-raw,format=%s ! %s %s %s ! %s", pixel_format(info, bits, quality, kind),
                        kind->element, kind->common, kind->settings[quality], kind->parser);
    return encoder;
}

void encoder_free(Encoder *encoder) {
    if (!encoder)
        return;
    g_free(encoder->description);
    g_free(encoder);
}

/* Installed, and for hardware: the device opens. */
static gboolean works(const Kind *kind) {
    g_autoptr(GstElement) element = gst_element_factory_make(kind->element, NULL);
    if (!element)
        return FALSE;
    gst_object_ref_sink(element);
    gboolean ok = !kind->hardware || gst_element_set_state(element, GST_STATE_READY) == GST_STATE_CHANGE_SUCCESS;
    gst_element_set_state(element, GST_STATE_NULL);
    return ok;
}

static gboolean takes_size(const Kind *kind, const GstVideoInfo *info) {
    return GST_VIDEO_INFO_WIDTH(info) >= kind->smallest && GST_VIDEO_INFO_HEIGHT(info) >= kind->smallest;
}

static const Kind *forced_kind(const Container *container, const GstVideoInfo *info, const char *forced, int quality,
                               GError **error) {
    g_autoptr(GString) known = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_string_append_printf(known, "%s%s", i ? ", " : "", kinds[i].element);
        if (!g_str_equal(kinds[i].element, forced))
            continue;
        if (!holds(container, kinds[i].codec))
            upscale_fail(error, UPSCALE_USAGE, "--encoder: %s gives %s, which does not go into %s files", forced,
                         kinds[i].codec, container->suffix);
        else if (!kinds[i].settings[quality])
            upscale_fail(error, UPSCALE_USAGE, "--encoder: %s has no lossless mode", forced);
        else if (!takes_size(&kinds[i], info))
            upscale_fail(error, UPSCALE_USAGE, "--encoder: %s takes no frames smaller than %d x %d", forced,
                         kinds[i].smallest, kinds[i].smallest);
        else if (!works(&kinds[i]))
            upscale_fail(error, UPSCALE_USAGE, "--encoder: %s is not installed or finds no device", forced);
        else
            return &kinds[i];
        return NULL;
    }
    upscale_fail(error, UPSCALE_USAGE, "--encoder is %s, but must be one of: %s", forced, known->str);
    return NULL;
}

/* The first that fits; hardware only on wish, and one that keeps all bits before one that does not. */
static const Kind *best_kind(const Container *container, const GstVideoInfo *info, int quality, gboolean on_gpu) {
    for (int want = bits_of(info); want >= 8; want -= 2)
        for (int hardware = on_gpu ? 1 : 0; hardware >= 0; hardware--)
            for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (kinds[i].hardware == hardware && kinds[i].bits >= want && kinds[i].settings[quality] &&
                    holds(container, kinds[i].codec) && takes_size(&kinds[i], info) && works(&kinds[i]))
                    return &kinds[i];
    return NULL;
}

Encoder *encoder_choose(const Container *container, const GstCaps *frames, const char *quality, const char *forced,
                        gboolean on_gpu, GError **error) {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, frames)) {
        upscale_fail(error, UPSCALE_INPUT, "the decoder's frames are no plain video");
        return NULL;
    }
    int index = quality_index(quality);
    const Kind *kind =
        forced ? forced_kind(container, &info, forced, index, error) : best_kind(container, &info, index, on_gpu);
    if (!kind && !forced)
        upscale_fail(error, UPSCALE_FAILED,
                     "no encoder for %s files with quality %s is installed (x264enc: Debian's "
                     "gstreamer1.0-plugins-ugly)",
                     container->suffix, quality);
    return kind ? make(kind, &info, index) : NULL;
}
