//! The command line of the programs in here.

const std = @import("std");

const console = @import("console.zig");
const Port = @import("port.zig").Port;
const ShareOptions = @import("share/sandboxfs.zig").Options;
const sys = @import("sys.zig");

/// The words that are left.
pub const Words = struct {
    rest: []const [*:0]const u8,

    pub fn next(words: *Words) ?[:0]const u8 {
        if (words.rest.len == 0) return null;
        defer words.rest = words.rest[1..];
        return std.mem.span(words.rest[0]);
    }
};

/// Where the host is: `--port NAME-OR-PATH`, `--fd NUMBER` (inherited) or `--listen PATH` (a
/// Unix socket); without any of these the virtio-serial port `name`.
pub fn portSource(words: Words, name: []const u8) sys.Error!Port.Source {
    var source: Port.Source = .{ .device = name };
    var rest = words;
    while (rest.next()) |option| {
        const value = rest.next() orelse return misuse(option);
        source = try sourceOption(option, value) orelse return misuse(option);
    }
    return source;
}

/// Those, and `--mount FOLDER`; `--rpc-path` is what others call `--port`.
pub fn shareOptions(words: Words, name: []const u8) sys.Error!ShareOptions {
    var source: Port.Source = .{ .device = name };
    var target: ?[:0]const u8 = null;
    var rest = words;
    while (rest.next()) |option| {
        const value = rest.next() orelse return misuse(option);
        if (std.mem.eql(u8, option, "--mount")) {
            target = value;
        } else if (std.mem.eql(u8, option, "--rpc-path")) {
            source = .{ .device = value };
        } else source = try sourceOption(option, value) orelse return misuse(option);
    }
    return .{ .target = target orelse return misuse("--mount"), .port = source };
}

fn sourceOption(option: []const u8, value: [:0]const u8) sys.Error!?Port.Source {
    if (std.mem.eql(u8, option, "--port")) return .{ .device = value };
    if (std.mem.eql(u8, option, "--listen")) return .{ .listener = value };
    if (!std.mem.eql(u8, option, "--fd")) return null;
    return .{ .inherited = parseNumber(sys.fd_t, value) orelse return misuse(option) };
}

/// `text` as a decimal number that fits `Number`.
pub fn parseNumber(comptime Number: type, text: []const u8) ?Number {
    return std.fmt.parseUnsigned(Number, text, 10) catch null;
}

fn misuse(option: []const u8) sys.Error {
    console.say(&.{ "unknown or incomplete option ", option });
    return error.INVAL;
}
