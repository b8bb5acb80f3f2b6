//! The environment that every command of an image inherits: what /etc/bootsmith/env says, in
//! the part of the shell's language that bootsmith writes there.  No shell reads it, so that
//! no name in it has a meaning before a command of the user's runs.
//!
//! A line is `NAME=word`; in the word, '…' and "…" keep everything up to the next such sign, a
//! backslash outside of both keeps the character behind it.

const std = @import("std");
const linux = std.os.linux;

const arguments = @import("../arguments.zig");
const CommandLine = @import("command_line.zig").CommandLine;
const console = @import("../console.zig");
const sys = @import("../sys.zig");

const file = "/etc/bootsmith/env";
const file_bytes_max = 64 << 10;
const entries_max = 1024;

pub const Malformed = error{Malformed};

var shared: Environment = .{};

/// `bootsmith-guest environment PROGRAM WORD…`: becomes the program, with the image's
/// environment over the one that this was started with.
pub fn runUnder(words: arguments.Words) sys.Error!void {
    if (words.rest.len == 0) return error.INVAL;
    shared.load(std.os.environ);
    shared.loadFile();
    const argv: [*:null]const ?[*:0]const u8 = @ptrCast(words.rest.ptr);
    _ = try sys.check(linux.execve(words.rest[0], argv, shared.pointer()));
}

/// The variables that every program gets, unless the file says otherwise.
const defaults = [_][*:0]const u8{
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
};

pub const Environment = struct {
    entries: [entries_max:null]?[*:0]const u8 = undefined,
    count: usize = 0,
    text: [file_bytes_max]u8 = undefined,
    size: usize = 0,

    /// The inherited variables, then the defaults for those that are not there.  The kernel
    /// makes variables of words on its command line that mean nothing to it, such as `ip=…`:
    /// they are for init, not for commands.
    pub fn load(environment: *Environment, inherited: []const [*:0]const u8) void {
        var line: CommandLine = .{};
        line.load();
        for (defaults) |entry| environment.put(entry) catch break;
        for (inherited) |entry| {
            if (!line.has(std.mem.span(entry))) environment.put(entry) catch break;
        }
    }

    /// Adds the variables of the file, if there is one; says so when it cannot be used.
    pub fn loadFile(environment: *Environment) void {
        environment.readFile() catch |failure| switch (failure) {
            error.NOENT => {},
            error.Malformed => console.say(&.{file ++ " is malformed"}),
            else => |cause| console.complain(&.{file}, @errorCast(cause)),
        };
    }

    fn readFile(environment: *Environment) (sys.Error || Malformed)!void {
        // Read to the end of the memory that the words are then moved down into: a word is
        // never longer than what it is written as.
        const content = try sys.readFile(file, environment.text[environment.size..]);
        if (environment.size + content.len == environment.text.len) return error.FBIG;
        try environment.parse(content);
    }

    /// The variables, as execve(2) takes them.
    pub fn pointer(environment: *Environment) [*:null]const ?[*:0]const u8 {
        environment.entries[environment.count] = null;
        return &environment.entries;
    }

    /// Sets a variable; `entry` must outlive this.
    pub fn put(environment: *Environment, entry: [*:0]const u8) Malformed!void {
        const added = std.mem.span(entry);
        const end = std.mem.indexOfScalar(u8, added, '=') orelse return;
        for (environment.entries[0..environment.count]) |*existing| {
            if (!std.mem.startsWith(u8, std.mem.span(existing.*.?), added[0 .. end + 1])) continue;
            existing.* = entry;
            return;
        }
        if (environment.count == entries_max) return error.Malformed;
        environment.entries[environment.count] = entry;
        environment.count += 1;
    }

    fn parse(environment: *Environment, content: []const u8) Malformed!void {
        var position: usize = 0;
        while (position < content.len) {
            const start = environment.size;
            position = try environment.readWord(content, position);
            const entry = environment.text[start..environment.size];
            if (entry.len == 0) continue; // An empty line.
            environment.text[environment.size] = 0;
            environment.size += 1;
            try environment.put(environment.text[start .. environment.size - 1 :0]);
        }
    }

    /// Reads a line from `start` on; returns where the next one begins.
    fn readWord(environment: *Environment, content: []const u8, start: usize) Malformed!usize {
        var position = start;
        while (position < content.len) {
            const byte = content[position];
            position += 1;
            switch (byte) {
                '\n' => return position,
                '\'', '"' => {
                    const end = std.mem.indexOfScalarPos(u8, content, position, byte) orelse
                        return error.Malformed;
                    environment.append(content[position..end]);
                    position = end + 1;
                },
                '\\' => {
                    if (position == content.len) return error.Malformed;
                    environment.append(content[position..][0..1]);
                    position += 1;
                },
                else => environment.append(&.{byte}),
            }
        }
        return position;
    }

    fn append(environment: *Environment, part: []const u8) void {
        std.mem.copyForwards(u8, environment.text[environment.size..][0..part.len], part);
        environment.size += part.len;
    }
};

test "what bootsmith and shlex.quote write" {
    var environment: Environment = .{};
    try environment.put("A=old");
    const content = "A=plain\n\nB='two words'\nC='it'\"'\"'s'\nD=a\\ b\nE=''\nF='two\nlines'\n";
    try environment.parse(content);
    const wanted = [_][]const u8{
        "A=plain", "B=two words", "C=it's", "D=a b", "E=", "F=two\nlines",
    };
    try std.testing.expectEqual(wanted.len, environment.count);
    for (wanted, environment.entries[0..environment.count]) |expected, entry| {
        try std.testing.expectEqualStrings(expected, std.mem.span(entry.?));
    }
    for ([_][]const u8{ "A='open", "A=\\" }) |bad| {
        try std.testing.expectError(error.Malformed, environment.parse(bad));
    }
}
