//! What the host tells about files, as the kernel wants it.

const std = @import("std");

const abi = @import("fuse_abi.zig");
const cbor = @import("../cbor.zig");
const sys = @import("../sys.zig");

/// `attr` of an answer.
pub fn parse(item: cbor.Item) sys.Error!abi.Attributes {
    const size = try field(u64, item, "size");
    var attributes: abi.Attributes = .{
        .inode = try field(u64, item, "ino"),
        .size = size,
        .blocks = std.math.divCeil(u64, size, 512) catch unreachable,
        .atime = undefined,
        .mtime = undefined,
        .ctime = undefined,
        .atime_ns = undefined,
        .mtime_ns = undefined,
        .ctime_ns = undefined,
        .mode = try field(u32, item, "mode"),
        .links = try field(u32, item, "nlink"),
        .uid = try field(u32, item, "uid"),
        .gid = try field(u32, item, "gid"),
    };
    inline for (.{ "atime", "mtime", "ctime" }) |name| {
        const found = get(item, name ++ "_ms") orelse return error.IO;
        const time_ms = found.signed() catch return error.IO;
        @field(attributes, name) = @bitCast(@divFloor(time_ms, 1000));
        @field(attributes, name ++ "_ns") = @intCast(@mod(time_ms, 1000) * 1_000_000);
    }
    return attributes;
}

/// The `entry` of an answer: a file found or made.
pub fn parseEntry(result: cbor.Item) sys.Error!abi.EntryOut {
    const entry = get(result, "entry") orelse return error.IO;
    const entry_ttl_ms = try field(u64, entry, "entry_ttl_ms");
    const attributes_ttl_ms = try field(u64, entry, "attr_ttl_ms");
    const attributes = get(entry, "attr") orelse return error.IO;
    const node = try field(u64, entry, "ino");
    if (node == 0) return error.IO;
    return .{
        .node = node,
        .entry_valid = entry_ttl_ms / 1000,
        .attributes_valid = attributes_ttl_ms / 1000,
        .entry_valid_ns = nanoseconds(entry_ttl_ms),
        .attributes_valid_ns = nanoseconds(attributes_ttl_ms),
        .attributes = try parse(attributes),
    };
}

/// The answer to a lookup that found nothing, which the kernel may believe for a while.
pub fn parseAbsence(result: cbor.Item) sys.Error!abi.EntryOut {
    const ttl_ms = try field(u64, result, "entry_ttl_ms");
    var entry = std.mem.zeroes(abi.EntryOut);
    entry.entry_valid = ttl_ms / 1000;
    entry.entry_valid_ns = nanoseconds(ttl_ms);
    return entry;
}

pub fn parseAttributesOut(result: cbor.Item) sys.Error!abi.AttributesOut {
    const ttl_ms = try field(u64, result, "attr_ttl_ms");
    const attributes = get(result, "attr") orelse return error.IO;
    return .{
        .valid = ttl_ms / 1000,
        .valid_ns = nanoseconds(ttl_ms),
        .attributes = try parse(attributes),
    };
}

pub fn parseStatfs(result: cbor.Item) sys.Error!abi.StatfsOut {
    const item = get(result, "statfs") orelse return error.IO;
    return .{
        .blocks = try field(u64, item, "blocks"),
        .blocks_free = try field(u64, item, "bfree"),
        .blocks_available = try field(u64, item, "bavail"),
        .files = try field(u64, item, "files"),
        .files_free = try field(u64, item, "ffree"),
        .block_size = try field(u32, item, "bsize"),
        .name_bytes_max = try field(u32, item, "namelen"),
        .fragment_size = try field(u32, item, "frsize"),
    };
}

/// A number that must be there and fit.
pub fn field(comptime Number: type, item: cbor.Item, key: []const u8) sys.Error!Number {
    const found = get(item, key) orelse return error.IO;
    return found.number(Number) catch error.IO;
}

/// What the host must have sent, if it has; a host that sends something else is broken.
pub fn get(item: cbor.Item, key: []const u8) ?cbor.Item {
    return item.get(key) catch null;
}

fn nanoseconds(ttl_ms: u64) u32 {
    return @intCast(ttl_ms % 1000 * 1_000_000);
}

test "times before 1970 and parts of seconds" {
    const encoded = "\xa9\x63ino\x02\x64mode\x19\x81\xa4\x65nlink\x01\x63uid\x00\x63gid\x00" ++
        "\x64size\x19\x02\x01\x68atime_ms\x20\x68mtime_ms\x19\x05\xdc\x68ctime_ms\x39\x05\xdb";
    const attributes = try parse(try cbor.Item.parse(encoded));
    try std.testing.expectEqual(2, attributes.blocks);
    try std.testing.expectEqual(-1, @as(i64, @bitCast(attributes.atime)));
    try std.testing.expectEqual(999_000_000, attributes.atime_ns);
    try std.testing.expectEqual(1, attributes.mtime);
    try std.testing.expectEqual(500_000_000, attributes.mtime_ns);
    try std.testing.expectEqual(-2, @as(i64, @bitCast(attributes.ctime)));
    try std.testing.expectEqual(500_000_000, attributes.ctime_ns);
    try std.testing.expectError(error.IO, parse(try cbor.Item.parse("\xa0")));
}
