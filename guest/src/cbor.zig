//! The part of CBOR (RFC 8949) that the wire contract uses: integers, byte and text strings,
//! arrays, maps, true, false and null, all of definite length, nested at most 64 deep.
//!
//! Input is checked once, as a whole, by `Item.parse`.  The accessors of an `Item` then walk
//! bytes that are known to be well formed, and answer `error.WrongType` where a value is not
//! of the kind that was asked for.

const std = @import("std");
const assert = std.debug.assert;

/// How deep arrays and maps may nest.
pub const depth_max = 64;

pub const Malformed = error{Malformed};
pub const WrongType = error{WrongType};

const Major = enum(u3) { unsigned, negative, bytes, text, array, map, tag, simple };

const simple_false = 20;
const simple_true = 21;
const simple_null = 22;
const simple_undefined = 23;

/// One value, as the slice of the frame that holds it.
pub const Item = struct {
    encoded: []const u8,

    /// The one value that `encoded` consists of.
    pub fn parse(encoded: []const u8) Malformed!Item {
        if (try measure(encoded) != encoded.len) return error.Malformed;
        return .{ .encoded = encoded };
    }

    pub fn unsigned(item: Item) WrongType!u64 {
        const head = item.header();
        return if (head.major == .unsigned) head.argument else error.WrongType;
    }

    /// An integer of either sign.
    pub fn signed(item: Item) WrongType!i64 {
        const head = item.header();
        const magnitude = std.math.cast(i64, head.argument) orelse return error.WrongType;
        return switch (head.major) {
            .unsigned => magnitude,
            .negative => -1 - magnitude,
            else => error.WrongType,
        };
    }

    /// An unsigned number that fits `Number`.
    pub fn number(item: Item, comptime Number: type) WrongType!Number {
        return std.math.cast(Number, try item.unsigned()) orelse error.WrongType;
    }

    pub fn boolean(item: Item) WrongType!bool {
        const head = item.header();
        if (head.major != .simple) return error.WrongType;
        return switch (head.argument) {
            simple_false => false,
            simple_true => true,
            else => error.WrongType,
        };
    }

    pub fn bytes(item: Item) WrongType![]const u8 {
        return item.string(.bytes);
    }

    pub fn text(item: Item) WrongType![]const u8 {
        return item.string(.text);
    }

    /// A word for the kernel (a path, an argument): text, or bytes when it is not UTF-8.
    pub fn word(item: Item) WrongType![]const u8 {
        return if (item.header().major == .bytes) item.string(.bytes) else item.string(.text);
    }

    pub fn array(item: Item) WrongType!Items {
        const head = item.header();
        if (head.major != .array) return error.WrongType;
        return .{ .rest = item.encoded[head.size..], .count = head.argument };
    }

    pub fn isMap(item: Item) bool {
        return item.header().major == .map;
    }

    /// The value of `key` in a map; null when it is absent, null or undefined.
    pub fn get(item: Item, key: []const u8) WrongType!?Item {
        const head = item.header();
        if (head.major != .map) return error.WrongType;
        var pairs: Items = .{ .rest = item.encoded[head.size..], .count = head.argument * 2 };
        while (pairs.next()) |name| {
            const value = pairs.next().?;
            const name_text = name.text() catch continue;
            if (!std.mem.eql(u8, name_text, key)) continue;
            return if (value.isAbsent()) null else value;
        }
        return null;
    }

    /// The value of `key`, which must be there.
    pub fn required(item: Item, key: []const u8) WrongType!Item {
        return try item.get(key) orelse error.WrongType;
    }

    /// The boolean under `key`, `default` when it is absent.
    pub fn flag(item: Item, key: []const u8, default: bool) WrongType!bool {
        return if (try item.get(key)) |found| found.boolean() else default;
    }

    /// The number under `key`, 0 when it is absent.
    pub fn amount(item: Item, key: []const u8) WrongType!u64 {
        return if (try item.get(key)) |found| found.unsigned() else 0;
    }

    /// The byte string under `key`, empty when it is absent.
    pub fn content(item: Item, key: []const u8) WrongType![]const u8 {
        return if (try item.get(key)) |found| found.bytes() else "";
    }

    fn isAbsent(item: Item) bool {
        const head = item.header();
        return head.major == .simple and
            (head.argument == simple_null or head.argument == simple_undefined);
    }

    fn string(item: Item, major: Major) WrongType![]const u8 {
        const head = item.header();
        if (head.major != major) return error.WrongType;
        assert(item.encoded.len == head.size + head.argument);
        return item.encoded[head.size..];
    }

    fn header(item: Item) Head {
        return Head.read(item.encoded) catch unreachable; // Checked by `parse`.
    }
};

/// The values of an array, or the keys and values of a map, one after the other.
pub const Items = struct {
    rest: []const u8,
    count: u64,

    pub fn next(items: *Items) ?Item {
        if (items.count == 0) return null;
        const size = measure(items.rest) catch unreachable; // Checked by `parse`.
        defer {
            items.rest = items.rest[size..];
            items.count -= 1;
        }
        return .{ .encoded = items.rest[0..size] };
    }
};

const Head = struct {
    major: Major,
    argument: u64,
    /// How many bytes the head takes.
    size: u8,

    fn read(encoded: []const u8) Malformed!Head {
        if (encoded.len == 0) return error.Malformed;
        const major: Major = @enumFromInt(encoded[0] >> 5);
        const short: u5 = @truncate(encoded[0]);
        const size: u8 = switch (short) {
            0...23 => return .{ .major = major, .argument = short, .size = 1 },
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            28...31 => return error.Malformed, // Reserved, or of indefinite length.
        };
        if (encoded.len < 1 + size) return error.Malformed;
        var argument: u64 = 0;
        for (encoded[1..][0..size]) |byte| argument = argument << 8 | byte;
        return .{ .major = major, .argument = argument, .size = 1 + size };
    }
};

/// The number of bytes of the value that `encoded` begins with.
fn measure(encoded: []const u8) Malformed!usize {
    var open: [depth_max]u64 = undefined; // What each open array or map still lacks.
    var depth: usize = 0;
    var position: usize = 0;
    while (true) {
        const head = try Head.read(encoded[position..]);
        position += head.size;
        const rest = encoded[position..];
        var members: u64 = 0;
        switch (head.major) {
            .unsigned, .negative => {},
            .bytes, .text => {
                if (head.argument > rest.len) return error.Malformed;
                const content = rest[0..@intCast(head.argument)];
                if (head.major == .text and !std.unicode.utf8ValidateSlice(content)) {
                    return error.Malformed;
                }
                position += content.len;
            },
            .array, .map => {
                const per_entry: u64 = if (head.major == .map) 2 else 1;
                if (head.argument > rest.len / per_entry) return error.Malformed;
                members = head.argument * per_entry;
            },
            .simple => switch (head.argument) {
                simple_false, simple_true, simple_null, simple_undefined => {
                    if (head.size != 1) return error.Malformed; // A float of 2 to 8 bytes.
                },
                else => return error.Malformed,
            },
            .tag => return error.Malformed,
        }
        if (members > 0) {
            if (depth == depth_max) return error.Malformed;
            open[depth] = members;
            depth += 1;
            continue;
        }
        while (depth > 0) {
            open[depth - 1] -= 1;
            if (open[depth - 1] > 0) break;
            depth -= 1;
        } else return position;
    }
}

/// Writes values into a buffer that the caller knows to be large enough.
pub const Writer = struct {
    buffer: []u8,
    size: usize = 0,

    pub noinline fn unsigned(writer: *Writer, value: u64) void {
        writer.head(.unsigned, value);
    }

    pub fn signed(writer: *Writer, value: i64) void {
        if (value >= 0) return writer.head(.unsigned, @intCast(value));
        writer.head(.negative, @intCast(-1 - value));
    }

    pub fn boolean(writer: *Writer, value: bool) void {
        writer.head(.simple, if (value) simple_true else simple_false);
    }

    pub noinline fn text(writer: *Writer, value: []const u8) void {
        assert(std.unicode.utf8ValidateSlice(value));
        writer.head(.text, value.len);
        writer.append(value);
    }

    pub noinline fn bytes(writer: *Writer, value: []const u8) void {
        writer.head(.bytes, value.len);
        writer.append(value);
    }

    pub fn array(writer: *Writer, count: usize) void {
        writer.head(.array, count);
    }

    pub fn map(writer: *Writer, count: usize) void {
        writer.head(.map, count);
    }

    fn head(writer: *Writer, major: Major, argument: u64) void {
        const first = @as(u8, @intFromEnum(major)) << 5;
        if (argument < 24) return writer.append(&.{first | @as(u8, @intCast(argument))});
        const size: u4 = switch (argument) {
            0...0xff => 1,
            0x100...0xffff => 2,
            0x1_0000...0xffff_ffff => 4,
            else => 8,
        };
        writer.append(&.{first | (24 + @as(u8, std.math.log2_int(u4, size)))});
        var encoded: [8]u8 = undefined;
        std.mem.writeInt(u64, &encoded, argument, .big);
        writer.append(encoded[8 - @as(usize, size) ..]);
    }

    fn append(writer: *Writer, part: []const u8) void {
        @memcpy(writer.buffer[writer.size..][0..part.len], part);
        writer.size += part.len;
    }
};

test {
    _ = @import("cbor_test.zig");
}
