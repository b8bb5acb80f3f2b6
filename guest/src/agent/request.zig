//! An `exec_request`, checked and turned into what execve(2) takes.

const std = @import("std");
const cbor = @import("../cbor.zig");

/// What a command may print before the host grants more, unless the request says otherwise.
const window_bytes_default = 256 << 10;
pub const window_bytes_max = 16 << 20;

/// Linux gives up beyond a quarter of the stack; these bounds are far beyond that.
const words_max = 64 << 10;

pub const Words = [:null]const ?[*:0]const u8;

pub const ExecRequest = struct {
    /// As the request names it: a path, or a name to look up in PATH.
    command: [:0]const u8,
    arguments: Words,
    environment: Words,
    folder: ?[:0]const u8,
    takes_input: bool,
    terminal: bool,
    stdout_window: u32,
    stderr_window: u32,

    /// Reads the request's body; everything in the result lives in `memory`.
    ///
    /// `inherited` is the environment that the request's own is laid over.
    pub fn read(
        body: cbor.Item,
        inherited: []const [*:0]const u8,
        memory: std.mem.Allocator,
    ) error{ WrongType, OutOfMemory }!ExecRequest {
        const command = try word(memory, try body.required("cmd"));
        if (command.len == 0) return error.WrongType;
        return .{
            .command = command,
            .arguments = try readArguments(memory, command, try body.get("argv")),
            .environment = try readEnvironment(memory, inherited, try body.get("env")),
            .folder = if (try body.get("cwd")) |item| try word(memory, item) else null,
            .takes_input = try body.flag("stdin", false),
            .terminal = try body.flag("pty", false),
            .stdout_window = window(try body.amount("stdout_window")),
            .stderr_window = window(try body.amount("stderr_window")),
        };
    }
};

fn readArguments(
    memory: std.mem.Allocator,
    command: [:0]const u8,
    argv: ?cbor.Item,
) error{ WrongType, OutOfMemory }!Words {
    var items: cbor.Items = if (argv) |item| try item.array() else .{ .rest = "", .count = 0 };
    if (items.count > words_max) return error.OutOfMemory;
    const words = try memory.allocSentinel(?[*:0]const u8, @intCast(1 + items.count), null);
    words[0] = command;
    for (words[1..]) |*slot| slot.* = try word(memory, items.next().?);
    return words;
}

/// The inherited variables that the request does not name, then the request's own.  Where
/// it names a variable twice the later one counts.
fn readEnvironment(
    memory: std.mem.Allocator,
    inherited: []const [*:0]const u8,
    env: ?cbor.Item,
) error{ WrongType, OutOfMemory }!Words {
    var items: cbor.Items = if (env) |item| try item.array() else .{ .rest = "", .count = 0 };
    if (items.count > words_max) return error.OutOfMemory;
    const capacity: usize = @intCast(inherited.len + items.count);
    const words = try memory.alloc(?[*:0]const u8, capacity + 1);
    var count: usize = 0;
    for (inherited) |entry| {
        words[count] = entry;
        count += 1;
    }
    while (items.next()) |item| {
        const entry = try word(memory, item);
        const name = nameOf(entry) orelse return error.WrongType;
        const slot = find(words[0..count], name) orelse count;
        words[slot] = entry;
        count = @max(count, slot + 1);
    }
    words[count] = null;
    return words[0..count :null];
}

/// The value of `name` in an environment.
pub fn variable(environment: Words, name: []const u8) ?[]const u8 {
    const index = find(environment, name) orelse return null;
    return std.mem.span(environment[index].?)[name.len + 1 ..];
}

fn find(environment: []const ?[*:0]const u8, name: []const u8) ?usize {
    for (environment, 0..) |entry, index| {
        const found = nameOf(std.mem.span(entry.?)) orelse continue;
        if (std.mem.eql(u8, found, name)) return index;
    }
    return null;
}

fn nameOf(entry: []const u8) ?[]const u8 {
    const end = std.mem.indexOfScalar(u8, entry, '=') orelse return null;
    return if (end == 0) null else entry[0..end];
}

fn window(asked: u64) u32 {
    return @intCast(@min(if (asked == 0) window_bytes_default else asked, window_bytes_max));
}

/// `item` with a zero byte behind it, which Linux wants, and none inside.
fn word(memory: std.mem.Allocator, item: cbor.Item) error{ WrongType, OutOfMemory }![:0]const u8 {
    const content = try item.word();
    if (std.mem.indexOfScalar(u8, content, 0) != null) return error.WrongType;
    return memory.dupeZ(u8, content);
}

const testing = std.testing;

fn readFor(memory: std.mem.Allocator, encoded: []const u8) !ExecRequest {
    return ExecRequest.read(try cbor.Item.parse(encoded), &.{ "A=1", "PATH=/bin" }, memory);
}

test "a request is laid over the agent's environment" {
    var arena = std.heap.ArenaAllocator.init(testing.allocator);
    defer arena.deinit();
    const request = try readFor(arena.allocator(), "\xa4\x63cmd\x62sh\x64argv\x82\x62-c\x41\xff" ++
        "\x63env\x83\x63A=2\x63B=3\x63B=4\x6dstdout_window\x1a\x7f\xff\xff\xff");
    try testing.expectEqualStrings("sh", request.command);
    try testing.expectEqual(3, request.arguments.len);
    try testing.expectEqualStrings("\xff", std.mem.span(request.arguments[2].?));
    try testing.expectEqual(3, request.environment.len);
    try testing.expectEqualStrings("2", variable(request.environment, "A").?);
    try testing.expectEqualStrings("4", variable(request.environment, "B").?);
    try testing.expectEqualStrings("/bin", variable(request.environment, "PATH").?);
    try testing.expectEqual(null, variable(request.environment, "C"));
    try testing.expectEqual(window_bytes_max, request.stdout_window);
    try testing.expectEqual(window_bytes_default, request.stderr_window);
}

test "requests that cannot be meant" {
    var arena = std.heap.ArenaAllocator.init(testing.allocator);
    defer arena.deinit();
    const bad = [_][]const u8{
        "\xa0", // no command
        "\xa1\x63cmd\x60", // an empty one
        "\xa1\x63cmd\x01", // a number
        "\xa1\x63cmd\x63a\x00b", // a zero byte inside
        "\xa2\x63cmd\x61a\x64argv\x61x", // arguments that are no list
        "\xa2\x63cmd\x61a\x63env\x81\x61x", // a variable without =
        "\xa2\x63cmd\x61a\x63env\x81\x62=x", // a variable without a name
        "\xa2\x63cmd\x61a\x65stdin\x01", // a flag that is a number
    };
    const memory = arena.allocator();
    for (bad) |encoded| try testing.expectError(error.WrongType, readFor(memory, encoded));
}
