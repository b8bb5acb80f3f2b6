//! What `cbor.zig` takes and refuses, and random bytes, of which none may trip a safety check.

const std = @import("std");
const cbor = @import("cbor.zig");
const Item = cbor.Item;

const testing = std.testing;

test "well-formed values" {
    const good = [_][]const u8{
        "\x00", "\x18\x18", "\x1b" ++ "\xff" ** 8, // unsigned
        "\x20", "\x3b" ++ "\xff" ** 8, // negative
        "\x40", "\x43abc", "\x60", "\x62\xc3\xa9", // strings
        "\x80", "\x82\x01\x82\x02\x03", "\xa0", "\xa1\x61a\x01", // arrays and maps
        "\xf4", "\xf5", "\xf6", "\xf7", // false, true, null, undefined
        "\x81" ** 64 ++ "\x00", // as deep as it may be
    };
    for (good) |encoded| _ = try Item.parse(encoded);
}

test "malformed values" {
    const bad = [_][]const u8{
        "", // nothing
        "\x00\x00", // something behind
        "\x18", "\x19\x01", "\x1b\x01\x02\x03", // cut inside a head
        "\x43ab", "\x5b\xff\xff\xff\xff\xff\xff\xff\xff", // strings longer than the frame
        "\x62\xc3\x28", // text that is not UTF-8
        "\x82\x01", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01", // arrays longer than the frame
        "\xa1\x61a", "\xbb\x80\x00\x00\x00\x00\x00\x00\x01\x01", // maps longer than the frame
        "\x5f\x41a\xff", "\x9f\xff", "\xbf\xff", "\xff", // indefinite lengths
        "\xc0\x00", // a tag
        "\xf9\x3c\x00", "\xfa\x3f\x80\x00\x00", "\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00", // floats
        "\xf8\x14", "\xf9\x00\x14", "\xe0", "\xf8\xff", // other simple values
        "\x1c", "\x1d", "\x1e", "\x1f", // reserved
        "\x81" ** 65 ++ "\x00", // too deep
    };
    for (bad) |encoded| try testing.expectError(error.Malformed, Item.parse(encoded));
}

test "a map answers by key and by type" {
    const item = try Item.parse("\xa5\x61n\x18\x2a\x61b\x42\x00\xff\x61t\x62hi" ++
        "\x61x\xf6\x61l\x82\xf5\x19\x01\x00");
    try testing.expectEqual(42, try (try item.get("n")).?.number(u8));
    try testing.expectEqualSlices(u8, "\x00\xff", try (try item.get("b")).?.bytes());
    try testing.expectEqualStrings("hi", try (try item.get("t")).?.text());
    try testing.expectEqual(null, try item.get("x"));
    try testing.expectEqual(null, try item.get("absent"));
    try testing.expectError(error.WrongType, (try item.get("n")).?.text());
    try testing.expectError(error.WrongType, (try item.get("n")).?.get("n"));
    var list = try (try item.get("l")).?.array();
    try testing.expect(try list.next().?.boolean());
    const last = list.next().?;
    try testing.expectError(error.WrongType, last.number(u8)); // 256
    try testing.expectEqual(256, try last.number(u16));
    try testing.expectEqual(null, list.next());
}

test "what is written is read" {
    var buffer: [256]u8 = undefined;
    const numbers = [_]u64{ 0, 23, 24, 255, 256, 65_535, 65_536, 0xffff_ffff, 0x1_0000_0000 };
    for (numbers) |number| {
        var writer: cbor.Writer = .{ .buffer = &buffer };
        writer.map(2);
        writer.text("number");
        writer.unsigned(number);
        writer.bytes("\xff\x00");
        writer.boolean(true);
        const item = try Item.parse(buffer[0..writer.size]);
        try testing.expectEqual(number, try (try item.get("number")).?.unsigned());
    }
}

test "integers of either sign" {
    var buffer: [16]u8 = undefined;
    const most = std.math.maxInt(i64);
    const numbers = [_]i64{ 0, -1, -24, -25, -256, -257, -most - 1, most };
    for (numbers) |number| {
        var writer: cbor.Writer = .{ .buffer = &buffer };
        writer.signed(number);
        try testing.expectEqual(number, try (try Item.parse(buffer[0..writer.size])).signed());
    }
    try testing.expectError(
        error.WrongType,
        (try Item.parse("\x3b\xff\xff\xff\xff\xff\xff\xff\xff")).signed(),
    );
}

test "random bytes never do more than be refused" {
    var random = std.Random.DefaultPrng.init(0xb007);
    var buffer: [96]u8 = undefined;
    var accepted: usize = 0;
    for (0..300_000) |_| {
        const encoded = buffer[0..random.random().intRangeAtMost(usize, 0, buffer.len)];
        random.random().bytes(encoded);
        if (encoded.len > 0 and random.random().boolean()) encoded[0] = 0xa0 | (encoded[0] & 7);
        const item = Item.parse(encoded) catch continue;
        accepted += 1;
        touch(item);
    }
    try testing.expect(accepted > 0);
}

/// Calls every accessor.
fn touch(item: Item) void {
    _ = item.unsigned() catch {};
    _ = item.number(u16) catch {};
    _ = item.signed() catch {};
    _ = item.boolean() catch {};
    _ = item.bytes() catch {};
    _ = item.word() catch {};
    _ = item.get("a") catch {};
    var items = item.array() catch return;
    while (items.next()) |member| touch(member);
}
