//! The kernel's command line, as the init programs read it.

const std = @import("std");
const sys = @import("../sys.zig");

/// COMMAND_LINE_SIZE of x86-64 and arm64.
pub const command_line_bytes_max = 2048;

pub const CommandLine = struct {
    buffer: [command_line_bytes_max]u8 = undefined,
    size: usize = 0,

    /// Reads /proc/cmdline; empty when that cannot be read.
    pub fn load(line: *CommandLine) void {
        line.size = (sys.readFile("/proc/cmdline", &line.buffer) catch return).len;
    }

    /// The value of the last `name=value`.
    pub fn value(line: *const CommandLine, name: []const u8) ?[]const u8 {
        var found: ?[]const u8 = null;
        var rest = line.words();
        while (rest.next()) |word| {
            if (word.len <= name.len or word[name.len] != '=') continue;
            if (std.mem.startsWith(u8, word, name)) found = unquoted(word[name.len + 1 ..]);
        }
        return found;
    }

    /// Whether the word stands there by itself.
    pub fn has(line: *const CommandLine, flag: []const u8) bool {
        var rest = line.words();
        while (rest.next()) |word| if (std.mem.eql(u8, word, flag)) return true;
        return false;
    }

    /// Which of two flags comes last; null when neither is there.
    pub fn lastOf(line: *const CommandLine, names: [2][]const u8) ?u1 {
        var found: ?u1 = null;
        var rest = line.words();
        while (rest.next()) |word| {
            for (names, 0..) |name, index| {
                if (std.mem.eql(u8, word, name)) found = @intCast(index);
            }
        }
        return found;
    }

    /// What the command line says for a kernel module (`virtio_mmio.device=…`), appended to
    /// `parameters` as finit_module(2) wants it; modprobe does the same.
    pub fn moduleParameters(
        line: *const CommandLine,
        module: []const u8,
        parameters: []const u8,
        buffer: *[command_line_bytes_max]u8,
    ) error{NAMETOOLONG}![:0]const u8 {
        var size: usize = 0;
        try append(buffer, &size, parameters);
        var rest = line.words();
        while (rest.next()) |word| {
            const dot = std.mem.indexOfScalar(u8, word, '.') orelse continue;
            if (!isSameModule(word[0..dot], module)) continue;
            if (size > 0) try append(buffer, &size, " ");
            try append(buffer, &size, word[dot + 1 ..]);
        }
        buffer[size] = 0;
        return buffer[0..size :0];
    }

    fn words(line: *const CommandLine) Words {
        return .{ .text = line.buffer[0..line.size] };
    }
};

fn append(
    buffer: *[command_line_bytes_max]u8,
    size: *usize,
    part: []const u8,
) error{NAMETOOLONG}!void {
    if (part.len >= buffer.len - size.*) return error.NAMETOOLONG;
    @memcpy(buffer[size.*..][0..part.len], part);
    size.* += part.len;
}

/// Modules are named with - or _ as it pleases; the kernel takes both for the same.
fn isSameModule(left: []const u8, right: []const u8) bool {
    if (left.len != right.len) return false;
    for (left, right) |a, b| {
        if (a != b and !(isDash(a) and isDash(b))) return false;
    }
    return true;
}

fn isDash(byte: u8) bool {
    return byte == '-' or byte == '_';
}

/// Words end at white space outside of double quotes, as the kernel's own parser has it.
const Words = struct {
    text: []const u8,
    position: usize = 0,

    fn next(words: *Words) ?[]const u8 {
        const text = words.text;
        while (words.position < text.len and isSpace(text[words.position])) words.position += 1;
        const start = words.position;
        var quoted = false;
        while (words.position < text.len) : (words.position += 1) {
            const byte = text[words.position];
            if (byte == '"') quoted = !quoted;
            if (!quoted and isSpace(byte)) break;
        }
        return if (words.position > start) text[start..words.position] else null;
    }
};

fn isSpace(byte: u8) bool {
    return byte == ' ' or byte == '\t' or byte == '\n' or byte == 0;
}

fn unquoted(text: []const u8) []const u8 {
    if (text.len < 2 or text[0] != '"' or text[text.len - 1] != '"') return text;
    return text[1 .. text.len - 1];
}

fn of(text: []const u8) CommandLine {
    var line: CommandLine = .{ .size = text.len };
    @memcpy(line.buffer[0..text.len], text);
    return line;
}

test "values, flags and quotes" {
    const line = of("ro root=/dev/vda  root=/dev/vdb rw roots=x x=\"a b\" ip=\n");
    try std.testing.expectEqualStrings("/dev/vdb", line.value("root").?);
    try std.testing.expectEqualStrings("a b", line.value("x").?);
    try std.testing.expectEqualStrings("", line.value("ip").?);
    try std.testing.expectEqual(null, line.value("rootfstype"));
    try std.testing.expectEqual(1, line.lastOf(.{ "ro", "rw" }).?);
    try std.testing.expectEqual(null, line.lastOf(.{ "quiet", "debug" }));
}

test "parameters for modules" {
    const line = of("virtio_mmio.device=4K@0xfeb0:5 quiet virtio-mmio.device=4K@0xfeb1:6 a.b=c");
    var buffer: [command_line_bytes_max]u8 = undefined;
    try std.testing.expectEqualStrings(
        "x=1 device=4K@0xfeb0:5 device=4K@0xfeb1:6",
        try line.moduleParameters("virtio_mmio", "x=1", &buffer),
    );
    try std.testing.expectEqualStrings("", try line.moduleParameters("virtio", "", &buffer));
}
