# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libkernel-times.so wrote, in steady state: shares of time, and rates against a plain copy."""
import re

OWN = {  # this project's kernels (cuda/kernels): global C++ names, which no library's are
    "convolutions and products": "conv3x3",
    "attention": "attention_tiles attention_tensor",
    "group norm": "part_moments group_moments group_norm_apply group_norm_whole",
    "layer norm": "layer_norm",
    "pack": "pack_colour pack_alpha",
    "unpack": "unpack_packed unpack_420",
    "resize": "resize_columns resize_rows upsample_nearest",
    "pointwise": "affine_eight affine_single epilogue_eight epilogue_single geglu_eight geglu_single concat_units "
                 "pad_channels_eight pad_channels_single fill noise",
    "tiles": "window blend",
    "colour fix": "adain_transfer adain_apply blur",
    "steadiness": "brightness halve_brightness motion_search warp_picture stillness keep",
    "trials": "numbers difference",
}
GROUPS = {kernel: group for group, names in OWN.items() for kernel in names.split()}
MAIN = ("convolutions and products", "attention")
STEADY = 4  # repetitions that must be alike
NAMED = 25  # kernels and copies that a report names, those that take the most time
LONGEST = 120  # characters of a name in it
BYTES_PER_PIXEL = {"pack": 3, "unpack": 3 * 4}  # of an RGB frame and its enlargement by 2, which are no tensors


def group_of(name):
    own = re.match(r"_Z(\d+)(\w+)", name)
    if own:
        return GROUPS.get(own[2][:int(own[1])], "other own kernels")
    if name.startswith("copy"):
        return "copies"
    if re.search("fmha|sdpa|attention|flash", name, re.IGNORECASE):
        return "attention"
    if re.search("nchwToNhwc|nhwcToNchw|transpose|tensorTransform|convertTensor|_cast", name, re.IGNORECASE):
        return "layouts"
    return "convolutions and products"


def readable(name):
    """An own kernel's name with the template arguments that its kind has: numbers, types without arguments of their own.
    Other names are cut."""
    own = re.match(r"_Z(\d+)(\w+)", name)
    if not own:
        return name[:LONGEST]
    length = int(own[1])
    base, rest, arguments = own[2][:length], own[2][length:], []
    while rest.startswith("I") and (part := re.match(r"L[a-z](\d+)E|(\d+)|([fijm])", rest[1:])):
        number, letters, letter = part.groups()
        end = 1 + part.end() + int(letters or 0)
        arguments.append(number or rest[1 + part.end():end] or {"f": "float", "i": "int"}.get(letter, letter))
        rest = "I" + rest[end:]
    return base + (f"<{', '.join(arguments)}>" if arguments else "")


def most_time(records, count):
    """The kernels and copies of `count` repetitions that take the most, all of one name together."""
    times = {}
    for begin, end, name in records:
        ms, launches = times.get(name, (0, 0))
        times[name] = ms + (end - begin) * 1e-6 / count, launches + 1
    ordered = sorted(times.items(), key=lambda item: -item[1][0])[:NAMED]
    return [{"kernel": readable(name), "group": group_of(name), "ms": round(ms, 4), "launches": launches // count}
            for name, (ms, launches) in ordered]


def find_period(names):
    """After how many the last names repeat, STEADY times over; None where they do not."""
    for period in range(1, len(names) // STEADY + 1):
        if names[-1] == names[-1 - period] and names[-period * (STEADY - 1):] == names[-period * STEADY:-period]:
            return period
    return None


def union(spans):
    total, end = 0, 0
    for begin, until in sorted(spans):
        total += max(0, until - max(begin, end))
        end = max(end, until)
    return total


def steady_state(lines):
    """Records (start, end, name) of whole repetitions at the end, how many, and their length in nanoseconds."""
    records = sorted((int(start), int(end), name) for start, end, name in (line.split(" ", 2) for line in lines))
    kernels = [record for record in records if not record[2].startswith("copy")]
    names = [record[2] for record in kernels]
    period = find_period(names)
    if not period:
        raise ValueError(f"{len(names)} kernels, but no repetition in them")
    count = STEADY - 1
    while (count + 2) * period <= len(names) and names[-(count + 2) * period:-(count + 1) * period] == names[-period:]:
        count += 1
    begin, end = kernels[-(count + 1) * period][0], kernels[-period][0]
    return [record for record in records if begin <= record[0] < end], count, end - begin


def summary(lines, figures, pixels, copy_speed):
    """`figures` are yonos-bench's with --per-op, untraced, or None; `pixels` of the frame's input, 0 for a part; copies
    move `copy_speed` GB/s, or None."""
    records, count, length = steady_state(lines)
    times = {}  # group -> ms per repetition
    for begin, end, name in records:
        group = group_of(name)
        times[group] = times.get(group, 0) + (end - begin) * 1e-6 / count
    kernels = [record for record in records if not record[2].startswith("copy")]
    busy = union(record[:2] for record in kernels) * 1e-6 / count
    total = sum(ms for group, ms in times.items() if group != "copies")
    result = {
        "repetitions": count, "kernels in each": len(kernels) // count,
        "ms each, traced": round(length * 1e-6 / count, 3),
        "GPU busy with kernels, ms": round(busy, 3),
        "GPU busy, traced, %": round(100e6 * busy * count / length, 1),
        "with copies, %": round(100 * union([record[:2] for record in records]) / length, 1),
        "kernels but convolutions, products, attention, %":
            round(100 * sum(ms for group, ms in times.items() if group not in (*MAIN, "copies")) / total, 1),
        "ms": {group: round(ms, 4) for group, ms in sorted(times.items(), key=lambda item: -item[1])},
    }
    if figures:
        result["ms each, untraced"] = round(figures["median_ms"], 3)
        result["GPU busy, untraced, %"] = round(100 * busy / figures["median_ms"], 1)
        result["GB/s"] = rates(times, figures["ops"], pixels, copy_speed)
    result["kernels"] = most_time(records, count)
    return result


def rates(times, ops, pixels, copy_speed):
    """Bytes that must be read and written, each once, over the kernels' time."""
    result = {}
    for op, group in (("group_norm", "group norm"), ("pack", "pack"), ("unpack", "unpack")):
        if group not in times:
            continue
        needed = sum(row["gb_per_s"] * row["ms"] * 1e6 for row in ops if row["op"] == op)
        rate = (needed + pixels * BYTES_PER_PIXEL.get(op, 0)) / times[group] * 1e-6
        result[group] = f"{rate:.0f}" + (f" ({100 * rate / copy_speed:.0f} % of a copy)" if copy_speed else "")
    return result
