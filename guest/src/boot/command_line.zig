//! The kernel's command line, as the init programs read it.

const std = @import("std");
const sys = @import("../sys.zig");

/// COMMAND_LINE_SIZE of x86-64 and arm64.
const command_line_bytes_max = 2048;

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

    fn words(line: *const CommandLine) Words {
        return .{ .text = line.buffer[0..line.size] };
    }
};

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
