/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One backend for all upscalers of a process that run the same model on the same device in the same way, so that
 * packed weights are in memory once.
 */
#ifndef YONOS_SHARED_H
#define YONOS_SHARED_H

#include "backend/backend.h"

typedef struct _YonosShared YonosShared;

/*
 * The shared backend for `model` (which stands for its folder: a process opens a folder once) and the options that
 * say where and how (backend, precision, threads, max_vram, cuda_context), new or with one user more. The model must outlive it, because packed weights are found by its constants' addresses.
 * Thread-safe. Errors: those of yonos_backend_open().
 */
YonosShared *yonos_shared_open(gconstpointer model, const YonosOptions *options, GError **error);
/* One user less; the last one closes the backend. Takes NULL. Thread-safe. */
void yonos_shared_close(YonosShared *shared);

YonosBackend *yonos_shared_get_backend(const YonosShared *shared);

/* Held while plans are made and freed. */
void yonos_shared_lock(YonosShared *shared);
void yonos_shared_unlock(YonosShared *shared);

/* Held while a plan runs: does something only for backends that run one plan at a time. */
void yonos_shared_lock_run(YonosShared *shared);
void yonos_shared_unlock_run(YonosShared *shared);

#endif
