/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Properties of the element: what they mean, their ranges, defaults and units, and when they may change. The texts
 * are the documentation: gst-inspect-1.0 shows them, docs/element.md is made from them.
 *
 * "Ready" properties are read at start; the others take effect at the next frame, all of one frame together.
 */
#include "gstyonossr.h"

#define GST_CAT_DEFAULT gst_yonos_sr_debug

#define DEFAULT_MODEL "yonos-lite-x2"
#define DEFAULT_CUDA_DEVICE_ID -1
#define DEFAULT_NOISE_MODE YONOS_NOISE_STATIC
#define DEFAULT_TILE_OVERLAP -1
#define DEFAULT_ADD_BORDERS TRUE
#define DEFAULT_LATE_POLICY GST_YONOS_LATE_DROP
#define DEFAULT_COMPARE_POSITION 0.5

enum {
    PROP_0,
    PROP_MODEL,
    PROP_SCALE,
    PROP_BACKEND, /* from here to stats-interval: fields of GstYonosSettings */
    PROP_CUDA_DEVICE_ID,
    PROP_MAX_VRAM,
    PROP_THREADS,
    PROP_PRECISION,
    PROP_SEED,
    PROP_NOISE_MODE,
    PROP_STEADINESS,
    PROP_TILE_SIZE,
    PROP_TILE_OVERLAP,
    PROP_COLOUR_FIX,
    PROP_ADD_BORDERS,
    PROP_BYPASS,
    PROP_LATE_POLICY,
    PROP_OVERLAP,
    PROP_REUSE_STATIC,
    PROP_COMPARE,
    PROP_COMPARE_POSITION,
    PROP_STATS_INTERVAL,
    PROP_STATS,
};

/* ---- enums -------------------------------------------------------------------------------- */

#define DEFINE_ENUM(function, type_name, ...)                                                                          \
    static GType function(void) {                                                                                      \
        static GType type = 0;                                                                                         \
        static const GEnumValue values[] = {__VA_ARGS__, {0, NULL, NULL}};                                             \
        if (g_once_init_enter(&type))                                                                                  \
            g_once_init_leave(&type, g_enum_register_static(type_name, values));                                       \
        return type;                                                                                                   \
    }

DEFINE_ENUM(gst_yonos_backend_get_type, "GstYonosBackend",
            {GST_YONOS_BACKEND_AUTO, "CUDA where it works, else the CPU", "auto"},
            {GST_YONOS_BACKEND_CPU, "CPU (oneDNN)", "cpu"}, {GST_YONOS_BACKEND_CUDA, "NVIDIA GPU", "cuda"})
DEFINE_ENUM(gst_yonos_precision_get_type, "GstYonosPrecision",
            {YONOS_PRECISION_AUTO, "The fastest that keeps the picture", "auto"},
            {YONOS_PRECISION_F32, "32-bit floats", "f32"}, {YONOS_PRECISION_BF16, "bfloat16, sums in f32", "bf16"},
            {YONOS_PRECISION_F16, "16-bit floats, sums in f32", "f16"})
DEFINE_ENUM(gst_yonos_noise_mode_get_type, "GstYonosNoiseMode",
            {YONOS_NOISE_PER_FRAME, "A new noise field for each frame", "per-frame"},
            {YONOS_NOISE_STATIC, "The same noise field for all frames: less flicker", "static"})
DEFINE_ENUM(gst_yonos_colour_fix_get_type, "GstYonosColourFix",
            {YONOS_COLOUR_FIX_DEFAULT, "What the model asks for", "default"},
            {YONOS_COLOUR_FIX_NONE, "The decoder's result as it is", "none"},
            {YONOS_COLOUR_FIX_ADAIN, "Mean and standard deviation of each channel from the input", "adain"},
            {YONOS_COLOUR_FIX_WAVELET, "Low frequencies from the input", "wavelet"},
            {YONOS_COLOUR_FIX_BACK_PROJECTION, "Downsampled, the result agrees with the input", "back-projection"})
DEFINE_ENUM(gst_yonos_late_policy_get_type, "GstYonosLatePolicy",
            {GST_YONOS_LATE_PROCESS, "Upscale every frame, however late", "process"},
            {GST_YONOS_LATE_DROP, "Leave late frames out", "drop"},
            {GST_YONOS_LATE_FAST, "Resample late frames without the networks until caught up", "fast"})
DEFINE_ENUM(gst_yonos_overlap_get_type, "GstYonosOverlap",
            {GST_YONOS_OVERLAP_AUTO, "On a GPU, where the pipeline is not live", "auto"},
            {GST_YONOS_OVERLAP_NEVER, "Every frame goes on as soon as it is done", "never"},
            {GST_YONOS_OVERLAP_ALWAYS, "Also on the CPU, which gains nothing, and live, where the frame rate is known",
             "always"})
DEFINE_ENUM(gst_yonos_compare_get_type, "GstYonosCompare", {GST_YONOS_COMPARE_NONE, "The result alone", "none"},
            {GST_YONOS_COMPARE_SPLIT, "The resampled original left of compare-position, the result right", "split"},
            {GST_YONOS_COMPARE_SIDE_BY_SIDE, "The same half of the picture twice: original, result", "side-by-side"})

gchar *gst_yonos_backend_name(GstYonosBackend backend, gint device) {
    static const gchar *const names[] = {"auto", "cpu", "cuda"};
    return backend == GST_YONOS_BACKEND_CPU ? g_strdup(names[backend])
                                            : g_strdup_printf("%s:%d", names[backend], MAX(device, 0));
}

const gchar *gst_yonos_precision_name(YonosPrecision precision) {
    static const gchar *const names[] = {"auto", "f32", "bf16", "f16"};
    return names[precision];
}

/* ---- statistics --------------------------------------------------------------------------------------- */

GstStructure *gst_yonos_sr_make_stats(GstYonosSR *self) {
    GstStructure *stats = gst_structure_new_empty("yonossr-stats");
    gst_yonos_stats_fill(self->stats, stats);
    GST_OBJECT_LOCK(self);
    const YonosUpscalerInfo info = self->info;
    gst_structure_set(stats, "switches", G_TYPE_UINT64, self->late.switches, "tiles-run", G_TYPE_UINT64, info.tiles_run,
                      "tiles-reused", G_TYPE_UINT64, info.tiles_reused, "backend", G_TYPE_STRING,
                      info.backend ? info.backend : "none", "device", G_TYPE_STRING, info.device ? info.device : "none",
                      "precision", G_TYPE_STRING, gst_yonos_precision_name(info.precision), "threads", G_TYPE_INT,
                      info.threads, "tiles", G_TYPE_INT, info.tiles_x * info.tiles_y, "tile-width", G_TYPE_INT,
                      info.tile_width, "tile-height", G_TYPE_INT, info.tile_height, "arena-bytes", G_TYPE_UINT64,
                      info.arena_bytes, "weight-bytes", G_TYPE_UINT64, info.weight_bytes, NULL);
    GST_OBJECT_UNLOCK(self);
    return stats;
}

/* ---- set and get ---------------------------------------------------------------------------------------- */

GstYonosSettings gst_yonos_sr_get_settings(GstYonosSR *self) {
    GST_OBJECT_LOCK(self);
    GstYonosSettings settings = self->settings;
    GST_OBJECT_UNLOCK(self);
    return settings;
}

/* Call with the object lock held. A running element keeps its model, and with it its scale, until it stops. */
static void set_model_name(GstYonosSR *self, const gchar *name) {
    g_free(self->model_name);
    self->model_name = g_strdup(name && *name ? name : DEFAULT_MODEL);
    if (self->upscaler)
        self->model_changed = TRUE;
    else
        g_clear_pointer(&self->model, yonos_model_unref);
}

/* The field of a property; NULL where it has none. */
static gpointer find_setting(GstYonosSettings *settings, guint id) {
#define FIELD(name) G_STRUCT_OFFSET(GstYonosSettings, name)
    static const gsize offsets[PROP_STATS] = {
        [PROP_BACKEND] = FIELD(backend),
        [PROP_CUDA_DEVICE_ID] = FIELD(cuda_device_id),
        [PROP_MAX_VRAM] = FIELD(max_vram),
        [PROP_THREADS] = FIELD(threads),
        [PROP_PRECISION] = FIELD(precision),
        [PROP_SEED] = FIELD(seed),
        [PROP_NOISE_MODE] = FIELD(noise_mode),
        [PROP_STEADINESS] = FIELD(steadiness),
        [PROP_TILE_SIZE] = FIELD(tile_size),
        [PROP_TILE_OVERLAP] = FIELD(tile_overlap),
        [PROP_COLOUR_FIX] = FIELD(colour_fix),
        [PROP_ADD_BORDERS] = FIELD(add_borders),
        [PROP_BYPASS] = FIELD(bypass),
        [PROP_LATE_POLICY] = FIELD(late_policy),
        [PROP_OVERLAP] = FIELD(overlap),
        [PROP_REUSE_STATIC] = FIELD(reuse_static),
        [PROP_COMPARE] = FIELD(compare),
        [PROP_COMPARE_POSITION] = FIELD(compare_position),
        [PROP_STATS_INTERVAL] = FIELD(stats_interval),
    };
#undef FIELD
    return id >= PROP_BACKEND && id < PROP_STATS ? G_STRUCT_MEMBER_P(settings, offsets[id]) : NULL;
}

static void set_setting(gpointer field, const GValue *value) {
    switch (G_TYPE_FUNDAMENTAL(G_VALUE_TYPE(value))) {
    case G_TYPE_BOOLEAN:
        *(gboolean *)field = g_value_get_boolean(value);
        break;
    case G_TYPE_INT:
        *(gint *)field = g_value_get_int(value);
        break;
    case G_TYPE_UINT:
        *(guint *)field = g_value_get_uint(value);
        break;
    case G_TYPE_UINT64:
        *(guint64 *)field = g_value_get_uint64(value);
        break;
    case G_TYPE_DOUBLE:
        *(gdouble *)field = g_value_get_double(value);
        break;
    default: /* enums */
        *(gint *)field = g_value_get_enum(value);
        break;
    }
}

static void get_setting(gconstpointer field, GValue *value) {
    switch (G_TYPE_FUNDAMENTAL(G_VALUE_TYPE(value))) {
    case G_TYPE_BOOLEAN:
        g_value_set_boolean(value, *(const gboolean *)field);
        break;
    case G_TYPE_INT:
        g_value_set_int(value, *(const gint *)field);
        break;
    case G_TYPE_UINT:
        g_value_set_uint(value, *(const guint *)field);
        break;
    case G_TYPE_UINT64:
        g_value_set_uint64(value, *(const guint64 *)field);
        break;
    case G_TYPE_DOUBLE:
        g_value_set_double(value, *(const gdouble *)field);
        break;
    default: /* enums */
        g_value_set_enum(value, *(const gint *)field);
        break;
    }
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec) {
    GstYonosSR *self = GST_YONOS_SR(object);
    gpointer field = find_setting(&self->settings, id);
    gboolean running = FALSE;
    GST_OBJECT_LOCK(self);
    if (id == PROP_MODEL) {
        set_model_name(self, g_value_get_string(value));
        running = self->model_changed;
    } else if (field) {
        set_setting(field, value);
    } else {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
    GST_OBJECT_UNLOCK(self);
    if (running)
        GST_WARNING_OBJECT(self, "the model changes at the next start: set it in the state NULL or READY");
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
    GstYonosSR *self = GST_YONOS_SR(object);
    GstYonosSettings settings = gst_yonos_sr_get_settings(self);
    gconstpointer field = find_setting(&settings, id);
    if (id == PROP_MODEL) {
        GST_OBJECT_LOCK(self);
        g_value_set_string(value, self->model_name);
        GST_OBJECT_UNLOCK(self);
    } else if (id == PROP_SCALE) {
        g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, NULL);
        g_value_set_uint(value, model ? (guint)yonos_model_get_scale(model) : 0);
    } else if (id == PROP_STATS) {
        g_value_take_boxed(value, gst_yonos_sr_make_stats(self));
    } else if (field) {
        get_setting(field, value);
    } else {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
}

void gst_yonos_sr_init_settings(GstYonosSR *self) {
    self->settings = (GstYonosSettings){
        .cuda_device_id = DEFAULT_CUDA_DEVICE_ID,
        .noise_mode = DEFAULT_NOISE_MODE,
        .tile_overlap = DEFAULT_TILE_OVERLAP,
        .add_borders = DEFAULT_ADD_BORDERS,
        .late_policy = DEFAULT_LATE_POLICY,
        .compare_position = DEFAULT_COMPARE_POSITION,
    };
    self->model_name = g_strdup(DEFAULT_MODEL);
}

/* ---- descriptions ----------------------------------------------------------------------------------------- */

static const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
static const GParamFlags playing =
    G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE;
static const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

static void add(GObjectClass *klass, guint id, GParamSpec *spec) {
    g_object_class_install_property(klass, id, spec);
}

static void install_ready_properties(GObjectClass *klass) {
    add(klass, PROP_MODEL,
        g_param_spec_string("model", "Model",
                            "Model folder, or the name of a model in YONOS_MODELS_PATH or among the installed ones; "
                            "shipped: yonos-lite-x2, yonos-lite-x4 and, three times as fast, yonos-nano-x2",
                            DEFAULT_MODEL, ready));
    add(klass, PROP_BACKEND,
        g_param_spec_enum("backend", "Backend", "Device that runs the networks", gst_yonos_backend_get_type(),
                          GST_YONOS_BACKEND_AUTO, ready));
    add(klass, PROP_CUDA_DEVICE_ID,
        g_param_spec_int("cuda-device-id", "CUDA device", "Number of the GPU (-1: the first one); nothing to the CPU",
                         -1, 255, DEFAULT_CUDA_DEVICE_ID, ready));
    add(klass, PROP_MAX_VRAM,
        g_param_spec_uint("max-vram", "Largest use of GPU memory",
                          "MiB of the GPU's memory that may be used (0: all there is); where it does not suffice, "
                          "tiles become smaller and one warning says so",
                          0, G_MAXINT, 0, ready));
    add(klass, PROP_THREADS,
        g_param_spec_uint("threads", "Threads", "CPU threads (0: one per processor); changes no pixel", 0, 256, 0,
                          ready));
    add(klass, PROP_PRECISION,
        g_param_spec_enum("precision", "Precision", "Number format of the networks' activations",
                          gst_yonos_precision_get_type(), YONOS_PRECISION_AUTO, ready));
    add(klass, PROP_TILE_SIZE,
        g_param_spec_uint("tile-size", "Tile size",
                          "Largest side of a tile in output pixels, 64 to 8192 (0: chosen from frame size and model)",
                          0, 8192, 0, ready));
    add(klass, PROP_TILE_OVERLAP,
        g_param_spec_int("tile-overlap", "Tile overlap",
                         "Overlap of neighbouring tiles in output pixels, at most half a tile (-1: chosen from the "
                         "model)",
                         -1, 4096, DEFAULT_TILE_OVERLAP, ready));
    add(klass, PROP_ADD_BORDERS,
        g_param_spec_boolean("add-borders", "Add borders",
                             "Where downstream asks for a size and pixel aspect ratio that would distort the picture, "
                             "keep its shape and fill up with black",
                             DEFAULT_ADD_BORDERS, ready));
}

static void install_picture_properties(GObjectClass *klass) {
    add(klass, PROP_SEED,
        g_param_spec_uint64("seed", "Seed", "Seed of the noise: same seed, same frame number, same pixels", 0,
                            G_MAXUINT64, 0, playing));
    add(klass, PROP_NOISE_MODE,
        g_param_spec_enum("noise-mode", "Noise mode", "Whether the noise changes from frame to frame",
                          gst_yonos_noise_mode_get_type(), DEFAULT_NOISE_MODE, playing));
    add(klass, PROP_STEADINESS,
        g_param_spec_double("steadiness", "Steadiness",
                            "Share of the networks' detail that is kept from the frame before where the input stands "
                            "still or moves along: less flicker (try 0.9), but a frame's pixels then depend on those "
                            "before it, back to the latest seek or discontinuity",
                            0.0, YONOS_MAX_STEADINESS, 0.0, playing));
    add(klass, PROP_COLOUR_FIX,
        g_param_spec_enum("colour-fix", "Colour fix",
                          "How the result's colours are tied to the input's; a model is trained with its own, and "
                          "without it may be far off",
                          gst_yonos_colour_fix_get_type(), YONOS_COLOUR_FIX_DEFAULT, playing));
    add(klass, PROP_BYPASS,
        g_param_spec_boolean("bypass", "Bypass", "Upscale by Lanczos resampling alone, to the same size", FALSE,
                             playing));
    add(klass, PROP_REUSE_STATIC,
        g_param_spec_boolean(
            "reuse-static", "Reuse static tiles",
            "Reuse the result of every tile that is the same as in the frame before; changes no pixel, "
            "needs noise-mode=static and pays with several tiles (tile-size)",
            FALSE, playing));
    add(klass, PROP_COMPARE,
        g_param_spec_enum("compare", "Compare", "Show the resampled original beside the result",
                          gst_yonos_compare_get_type(), GST_YONOS_COMPARE_NONE, playing));
    add(klass, PROP_COMPARE_POSITION,
        g_param_spec_double("compare-position", "Compare position",
                            "Part of the picture's width left of the split; with side-by-side which half is shown, 0 "
                            "the left, 1 the right",
                            0.0, 1.0, DEFAULT_COMPARE_POSITION, playing));
}

void gst_yonos_sr_install_properties(GObjectClass *klass) {
    klass->set_property = set_property;
    klass->get_property = get_property;
    install_ready_properties(klass);
    install_picture_properties(klass);
    add(klass, PROP_LATE_POLICY,
        g_param_spec_enum("late-policy", "Late policy",
                          "What to do with frames that come later than they can be done; needs qos=true",
                          gst_yonos_late_policy_get_type(), DEFAULT_LATE_POLICY, playing));
    add(klass, PROP_OVERLAP,
        g_param_spec_enum("overlap", "Overlap",
                          "Work on a frame while the next one is fetched and copied: more frames per second, one frame "
                          "more of latency; changes no pixel, and does nothing where the result is converted or "
                          "compared",
                          gst_yonos_overlap_get_type(), GST_YONOS_OVERLAP_AUTO, playing));
    add(klass, PROP_STATS_INTERVAL,
        g_param_spec_uint("stats-interval", "Statistics interval",
                          "Milliseconds between element messages with the contents of stats (0: none)", 0, G_MAXUINT, 0,
                          playing));
    add(klass, PROP_SCALE,
        g_param_spec_uint("scale", "Scale",
                          "Magnification of the model: output pixels per input pixel and axis "
                          "(0: the model cannot be opened)",
                          0, 16, 0, readable));
    add(klass, PROP_STATS,
        g_param_spec_boxed(
            "stats", "Statistics",
            "Since start: frames (upscaled), dropped, fast-frames (resampled because late), bypassed, "
            "switches (to fast), tiles-run, tiles-reused; of the latest 256 upscaled frames: ms-mean, "
            "ms-p95, ms-engine (the networks' part) and fps; backend, device, precision, threads, tiles, "
            "tile-width and tile-height in output pixels, arena-bytes, weight-bytes",
            GST_TYPE_STRUCTURE, readable));
    gst_type_mark_as_plugin_api(gst_yonos_backend_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_precision_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_noise_mode_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_colour_fix_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_late_policy_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_overlap_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_compare_get_type(), 0);
}
