/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public header compiles alone, as C++, and links.
 */
#include "yonos.h"

#include <cstring>

int main() {
    const YonosOptions options = YONOS_OPTIONS_INIT;
    return options.tile_overlap == -1 && std::strlen(yonos_version()) > 0 ? 0 : 1;
}
