//! Listing a directory of the host.
//!
//! The kernel's offsets 0 and 1 stand for `.` and `..`, which the host does not list; the
//! host's own offsets follow.

const std = @import("std");
const linux = std.os.linux;

const abi = @import("fuse_abi.zig");
const attributes = @import("attributes.zig");
const cbor = @import("../cbor.zig");
const device_of = @import("device.zig");
const FileSystem = @import("operations.zig").FileSystem;
const Request = device_of.Request;
const sys = @import("../sys.zig");

const own_entries = 2;

/// About how much room an entry takes, to ask for as many as fit.
const entry_bytes_typical = @sizeOf(abi.DirectoryEntry) + 16;

pub fn list(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.ReadIn);
    const buffer = device_of.Device.replyBody();
    var listing: Listing = .{ .buffer = buffer[0..@min(in.size, buffer.len)] };

    const node = request.header.node;
    for ([_][]const u8{ ".", ".." }, 0..) |name, offset| {
        if (in.offset > offset) continue;
        const next = offset + 1;
        _ = listing.add(.{ .inode = node, .offset = next, .name = name, .kind = linux.DT.DIR });
    }
    const count_max = std.math.clamp(listing.buffer.len / entry_bytes_typical, 1, 1024);
    var question = system.host.begin("readdir", 3);
    question.unsigned("ino", node);
    question.unsigned("offset", in.offset -| own_entries);
    question.unsigned("max_entries", count_max);
    const result = try (try system.host.ask(question)).get();
    const found = attributes.get(result, "entries") orelse return error.IO;
    var entries = found.array() catch return error.IO;
    while (entries.next()) |item| if (!listing.add(try parseEntry(item))) break;
    system.device.replyWith(request, listing.size);
}

const Entry = struct { inode: u64, offset: u64, name: []const u8, kind: u32 };

fn parseEntry(item: cbor.Item) sys.Error!Entry {
    const found = attributes.get(item, "name") orelse return error.IO;
    const name = found.word() catch return error.IO;
    // The kernel refuses the whole listing for one bad name.
    const is_name = name.len > 0 and name.len <= linux.NAME_MAX and
        std.mem.indexOfAny(u8, name, "/\x00") == null;
    if (!is_name) return error.IO;
    const offset = try attributes.field(u32, item, "offset");
    return .{
        .inode = try attributes.field(u64, item, "ino"),
        .offset = @as(u64, offset) + own_entries,
        .name = name,
        .kind = try attributes.field(u32, item, "type"),
    };
}

const Listing = struct {
    buffer: []u8,
    size: usize = 0,

    /// False: there is no room; the kernel asks again from the last entry's offset.
    fn add(listing: *Listing, entry: Entry) bool {
        const record: abi.DirectoryEntry = .{
            .inode = entry.inode,
            .offset = entry.offset,
            .name_size = @intCast(entry.name.len),
            .kind = entry.kind,
        };
        const size = std.mem.alignForward(usize, @sizeOf(abi.DirectoryEntry) + entry.name.len, 8);
        if (size > listing.buffer.len - listing.size) return false;
        const target = listing.buffer[listing.size..][0..size];
        @memset(target, 0);
        @memcpy(target[0..@sizeOf(abi.DirectoryEntry)], std.mem.asBytes(&record));
        @memcpy(target[@sizeOf(abi.DirectoryEntry)..][0..entry.name.len], entry.name);
        listing.size += size;
        return true;
    }
};

test "entries are padded, and those that do not fit are left for later" {
    var buffer: [70]u8 = undefined;
    var listing: Listing = .{ .buffer = &buffer };
    try std.testing.expect(listing.add(.{ .inode = 7, .offset = 3, .name = "a", .kind = 8 }));
    try std.testing.expectEqual(32, listing.size);
    const eight = "12345678";
    try std.testing.expect(listing.add(.{ .inode = 8, .offset = 4, .name = eight, .kind = 4 }));
    try std.testing.expectEqual(64, listing.size);
    try std.testing.expect(!listing.add(.{ .inode = 9, .offset = 5, .name = "c", .kind = 8 }));
    const second = std.mem.bytesToValue(abi.DirectoryEntry, buffer[32..56]);
    try std.testing.expectEqual(8, second.inode);
    try std.testing.expectEqualStrings(eight, buffer[56..64]);
}
