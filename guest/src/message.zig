//! The envelope of every message: `{v: 1, t: type, id: number, p: map}`.

const std = @import("std");
const cbor = @import("cbor.zig");

const version = 1;

/// What an envelope, its largest type and the other fields of a data message may take.
pub const overhead_bytes_max = 256;

pub const Message = struct {
    kind: []const u8,
    id: u32,
    body: cbor.Item,
};

/// The message in `frame`.  Anything but a whole envelope is malformed.
pub fn parse(frame: []const u8) cbor.Malformed!Message {
    return read(try cbor.Item.parse(frame)) catch error.Malformed;
}

fn read(item: cbor.Item) (cbor.WrongType || cbor.Malformed)!Message {
    if (try (try item.required("v")).unsigned() != version) return error.Malformed;
    const body = try item.required("p");
    if (!body.isMap()) return error.Malformed;
    return .{
        .kind = try (try item.required("t")).text(),
        .id = try (try item.required("id")).number(u32),
        .body = body,
    };
}

/// Writes an envelope up to the head of its body, which has `fields` entries.
pub fn begin(writer: *cbor.Writer, kind: []const u8, id: u32, fields: usize) void {
    writer.map(4);
    writer.text("v");
    writer.unsigned(version);
    writer.text("t");
    writer.text(kind);
    writer.text("id");
    writer.unsigned(id);
    writer.text("p");
    writer.map(fields);
}

const testing = std.testing;

test "an envelope is read back" {
    var buffer: [overhead_bytes_max]u8 = undefined;
    var writer: cbor.Writer = .{ .buffer = &buffer };
    begin(&writer, "exec_window", 0xffff_ffff, 1);
    writer.text("stdout");
    writer.unsigned(7);
    const message = try parse(buffer[0..writer.size]);
    try testing.expectEqualStrings("exec_window", message.kind);
    try testing.expectEqual(0xffff_ffff, message.id);
    try testing.expectEqual(7, try (try message.body.get("stdout")).?.unsigned());
}

test "envelopes that are not whole" {
    const bad = [_][]const u8{
        "\xa0", // empty
        "\x01", // no map
        "\xa4\x61v\x02\x61t\x61x\x62id\x01\x61p\xa0", // version 2
        "\xa4\x61v\x01\x61t\x01\x62id\x01\x61p\xa0", // type not text
        "\xa4\x61v\x01\x61t\x61x\x62id\x20\x61p\xa0", // negative id
        "\xa4\x61v\x01\x61t\x61x\x62id\x1b\x00\x00\x00\x01\x00\x00\x00\x00\x61p\xa0", // id > u32
        "\xa4\x61v\x01\x61t\x61x\x62id\x01\x61p\x80", // body not a map
        "\xa3\x61v\x01\x61t\x61x\x62id\x01", // no body
    };
    for (bad) |frame| try testing.expectError(error.Malformed, parse(frame));
    _ = try parse("\xa4\x61v\x01\x61t\x61x\x62id\x01\x61p\xa0");
}
