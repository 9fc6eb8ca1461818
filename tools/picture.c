/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pictures in files; see picture.h.
 *
 * PNG goes through libpng's full interface, because its simplified one turns 16-bit
 * samples into linear light. Colour profiles and gamma chunks are left alone: samples are
 * taken as they are, like everywhere in this library.
 */
#include "picture.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>

/* libpng reports through callbacks and a long jump; the first message is kept. */
typedef struct {
    char message[200];
} PngFailure;

static void on_png_error(png_structp png, png_const_charp message) {
    PngFailure *failure = png_get_error_ptr(png);
    g_strlcpy(failure->message, message, sizeof failure->message);
    png_longjmp(png, 1);
}

static void on_png_warning(png_structp png, png_const_charp message) {
    (void)png;
    g_debug("libpng: %s", message);
}

/* RGB or RGBA, 8 or 16 bits in the machine's order. */
static void ask_for_plain_rgb(png_structp png, png_infop info) {
    png_set_expand(png);
    png_set_gray_to_rgb(png);
    if (png_get_bit_depth(png, info) == 16 && G_BYTE_ORDER == G_LITTLE_ENDIAN)
        png_set_swap(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void samples_from_bytes(Picture *p, const png_byte *bytes) {
    gsize count = (gsize)p->width * p->height * p->channels;
    p->samples = g_new(float, count);
    for (gsize i = 0; i < count; i++)
        p->samples[i] = p->bits == 16 ? ((const guint16 *)bytes)[i] / 65535.0f : bytes[i] / 255.0f;
}

/* Decodes into *bytes and *rows, which the caller frees, also after a jump out of here. */
static gboolean read_rows(png_structp png, png_infop info, FILE *file, Picture *p, png_byte **bytes, png_byte ***rows) {
    if (setjmp(png_jmpbuf(png)))
        return FALSE;
    png_init_io(png, file);
    png_set_user_limits(png, 65535, 65535);
    png_read_info(png, info);
    ask_for_plain_rgb(png, info);
    p->width = (int)png_get_image_width(png, info);
    p->height = (int)png_get_image_height(png, info);
    p->channels = png_get_channels(png, info);
    p->bits = png_get_bit_depth(png, info);
    gsize row_bytes = png_get_rowbytes(png, info);
    *bytes = g_try_malloc_n(p->height, row_bytes);
    *rows = g_try_new(png_byte *, p->height);
    if (!*bytes || !*rows)
        png_error(png, "out of memory");
    for (int y = 0; y < p->height; y++)
        (*rows)[y] = *bytes + y * row_bytes;
    png_read_image(png, *rows);
    return TRUE;
}

static gboolean read_png(const char *path, Picture *p, GError **error) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return yonos_fail(error, YONOS_ERROR_FILE, "%s: %s", path, g_strerror(errno));
    PngFailure failure = {"not a PNG file"};
    png_byte *bytes = NULL, **rows = NULL;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure, on_png_error, on_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    gboolean ok = info && read_rows(png, info, file, p, &bytes, &rows);
    if (ok)
        samples_from_bytes(p, bytes);
    png_destroy_read_struct(&png, &info, NULL);
    g_free(bytes);
    g_free(rows);
    fclose(file);
    return ok || yonos_fail(error, YONOS_ERROR_FORMAT, "%s: %s", path, failure.message);
}

static png_byte *bytes_from_samples(const Picture *p) {
    gsize count = (gsize)p->width * p->height * p->channels;
    png_byte *bytes = g_malloc(count * (p->bits / 8));
    float top = p->bits == 16 ? 65535.0f : 255.0f;
    for (gsize i = 0; i < count; i++) {
        float v = p->samples[i];
        int level = (int)lrintf((v > 0 ? MIN(v, 1.0f) : 0.0f) * top); /* NaN becomes 0 */
        if (p->bits == 16)
            ((guint16 *)bytes)[i] = (guint16)level;
        else
            bytes[i] = (png_byte)level;
    }
    return bytes;
}

static gboolean write_rows(png_structp png, png_infop info, FILE *file, const Picture *p, png_byte **rows) {
    if (setjmp(png_jmpbuf(png)))
        return FALSE;
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, p->bits,
                 p->channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    if (p->bits == 16 && G_BYTE_ORDER == G_LITTLE_ENDIAN)
        png_set_swap(png);
    png_write_image(png, rows);
    png_write_end(png, NULL);
    return TRUE;
}

static gboolean write_png(const char *path, const Picture *p, GError **error) {
    FILE *file = fopen(path, "wb");
    if (!file)
        return yonos_fail(error, YONOS_ERROR_FILE, "%s: %s", path, g_strerror(errno));
    PngFailure failure = {"cannot be written"};
    g_autofree png_byte *bytes = bytes_from_samples(p);
    g_autofree png_byte **rows = g_new(png_byte *, p->height);
    for (int y = 0; y < p->height; y++)
        rows[y] = bytes + (gsize)y * p->width * p->channels * (p->bits / 8);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure, on_png_error, on_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    gboolean ok = info && write_rows(png, info, file, p, rows);
    png_destroy_write_struct(&png, &info);
    ok = fclose(file) == 0 && ok;
    return ok || yonos_fail(error, YONOS_ERROR_FILE, "%s: %s", path, failure.message);
}

static float *copy_of(const YonosConst *tensor) {
    gsize count = yonos_const_count(tensor);
    float *values = g_new(float, count);
    for (gsize i = 0; i < count; i++)
        values[i] = yonos_const_get(tensor, i);
    return values;
}

static gboolean read_safetensors(const char *path, Picture *p, GError **error) {
    g_autoptr(YonosSafetensors) file = yonos_safetensors_open(path, error);
    if (!file)
        return FALSE;
    const YonosConst *image = yonos_safetensors_find(file, "image"), *noise = yonos_safetensors_find(file, "noise");
    const gint64 most = 65535;
    if (!image || image->rank != 4 || image->dim[0] != 1 || image->dim[1] < 1 || image->dim[1] > most ||
        image->dim[2] < 1 || image->dim[2] > most || image->dim[3] != 3)
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: needs a tensor \"image\" of shape (1, h, w, 3)", path);
    if (noise && (noise->rank != 4 || noise->dim[0] != 1 || noise->dim[1] > most || noise->dim[2] > most ||
                  noise->dim[3] > most))
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: the tensor \"noise\" must have the shape (1, h, w, c)", path);
    p->height = (int)image->dim[1];
    p->width = (int)image->dim[2];
    p->channels = 3;
    p->bits = 32;
    p->samples = copy_of(image);
    if (noise) {
        p->noise_h = (int)noise->dim[1];
        p->noise_w = (int)noise->dim[2];
        p->noise_c = (int)noise->dim[3];
        p->noise = copy_of(noise);
    }
    return TRUE;
}

static gboolean write_safetensors(const char *path, const Picture *p, GError **error) {
    const YonosConst image = {"image", YONOS_DTYPE_F32, 4, {1, p->height, p->width, p->channels}, p->samples};
    const YonosConst *tensors[] = {&image};
    return yonos_safetensors_write(path, tensors, 1, error);
}

gboolean picture_read(const char *path, Picture *picture, GError **error) {
    *picture = (Picture){0};
    if (g_str_has_suffix(path, ".safetensors"))
        return read_safetensors(path, picture, error);
    return read_png(path, picture, error);
}

gboolean picture_write(const char *path, const Picture *picture, GError **error) {
    if (g_str_has_suffix(path, ".safetensors"))
        return write_safetensors(path, picture, error);
    if (g_str_has_suffix(path, ".png"))
        return write_png(path, picture, error);
    return yonos_fail(error, YONOS_ERROR_ARGUMENT, "%s: the output's name must end in .png or .safetensors", path);
}

void picture_clear(Picture *picture) {
    g_clear_pointer(&picture->samples, g_free);
    g_clear_pointer(&picture->noise, g_free);
}
