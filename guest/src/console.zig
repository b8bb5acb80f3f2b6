//! One line per event, for the person who reads the machine's console.

const std = @import("std");
const sys = @import("sys.zig");

const line_bytes_max = 1024;

/// Where lines go: standard error, unless `open` found the console.
var output: sys.fd_t = 2;

/// Sends further lines to the machine's console, where there is one.
pub fn open() void {
    output = sys.open("/dev/console", .{ .ACCMODE = .WRONLY, .NOCTTY = true }, 0) catch return;
}

/// Prints `bootsmith: ` and `parts` as one line.  A line that is too long is cut.
pub noinline fn say(parts: []const []const u8) void {
    var line: [line_bytes_max]u8 = undefined;
    var size: usize = 0;
    append(&line, &size, "bootsmith: ");
    for (parts) |part| append(&line, &size, part);
    line[size] = '\n';
    sys.writeAll(output, line[0 .. size + 1]) catch {
        // There is no other place to complain to.
    };
}

/// Prints `parts` and why it failed.
pub noinline fn complain(parts: []const []const u8, failure: sys.Error) void {
    var line: [line_bytes_max]u8 = undefined;
    var size: usize = 0;
    for (parts) |part| append(&line, &size, part);
    say(&.{ line[0..size], ": ", sys.describe(failure) });
}

fn append(line: *[line_bytes_max]u8, size: *usize, part: []const u8) void {
    const count = @min(part.len, line_bytes_max - 1 - size.*);
    @memcpy(line[size.*..][0..count], part[0..count]);
    size.* += count;
}

/// `number` in decimal digits.
pub noinline fn decimal(buffer: *[20]u8, number: u64) []const u8 {
    var rest = number;
    var start = buffer.len;
    while (true) {
        start -= 1;
        buffer[start] = '0' + @as(u8, @intCast(rest % 10));
        rest /= 10;
        if (rest == 0) return buffer[start..];
    }
}

test "numbers have all their digits" {
    var buffer: [20]u8 = undefined;
    try std.testing.expectEqualStrings("0", decimal(&buffer, 0));
    try std.testing.expectEqualStrings("1024", decimal(&buffer, 1024));
    const most = decimal(&buffer, std.math.maxInt(u64));
    try std.testing.expectEqualStrings("18446744073709551615", most);
}
