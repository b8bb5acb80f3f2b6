//! /dev/fuse: requests of the kernel, and what answers them.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const abi = @import("fuse_abi.zig");
const sys = @import("../sys.zig");

/// What one write(2) may carry to the host (CONTRACTS: max write), so that every host takes it.
pub const write_bytes_max = 61_440;
/// The kernel's limit for what it asks at once, without FUSE_MAX_PAGES.
pub const reply_bytes_max = 32 * 4096;

/// The kernel wants room for a page of headers in addition to the largest write.
var request_buffer: [write_bytes_max + 8192]u8 align(8) = undefined;
var reply_buffer: [@sizeOf(abi.OutHeader) + reply_bytes_max]u8 align(8) = undefined;

pub const Request = struct {
    header: *const abi.InHeader,
    body: []const u8,

    /// The fixed structure that the body begins with.  An older kernel may send less than we
    /// know of it.
    pub fn read(request: Request, comptime Structure: type) sys.Error!Structure {
        if (request.body.len < @sizeOf(Structure)) return error.INVAL;
        return std.mem.bytesToValue(Structure, request.body[0..@sizeOf(Structure)]);
    }

    /// The names that follow the first `offset` bytes of the body, each with a zero byte.
    pub fn names(request: Request, offset: usize) Names {
        return .{ .rest = request.body[@min(offset, request.body.len)..] };
    }
};

pub const Names = struct {
    rest: []const u8,

    pub fn next(found: *Names) sys.Error![]const u8 {
        const end = std.mem.indexOfScalar(u8, found.rest, 0) orelse return error.INVAL;
        defer found.rest = found.rest[end + 1 ..];
        return found.rest[0..end];
    }
};

pub const Device = struct {
    fd: sys.fd_t,

    pub fn open() sys.Error!Device {
        return .{ .fd = try sys.open("/dev/fuse", .{ .ACCMODE = .RDWR }, 0) };
    }

    /// The next request; null when the file system has been unmounted.
    pub fn next(device: Device) sys.Error!?Request {
        while (true) {
            const size = sys.read(device.fd, &request_buffer) catch |failure| switch (failure) {
                error.NODEV => return null,
                error.NOENT, error.AGAIN => continue, // A request that was withdrawn.
                else => return failure,
            };
            if (size < @sizeOf(abi.InHeader)) return error.PROTO;
            const header: *const abi.InHeader = @ptrCast(&request_buffer);
            if (header.size != size) return error.PROTO;
            return .{ .header = header, .body = request_buffer[@sizeOf(abi.InHeader)..size] };
        }
    }

    /// Where a reply of up to `reply_bytes_max` bytes is put together.
    pub fn replyBody() []u8 {
        return reply_buffer[@sizeOf(abi.OutHeader)..];
    }

    /// Sends the first `size` bytes of `replyBody`.
    pub fn replyWith(device: Device, request: Request, size: usize) void {
        assert(size <= reply_bytes_max);
        device.send(request, 0, size);
    }

    pub fn reply(device: Device, request: Request, structure: anytype) void {
        const bytes = std.mem.asBytes(&structure);
        @memcpy(replyBody()[0..bytes.len], bytes);
        device.send(request, 0, bytes.len);
    }

    pub fn fail(device: Device, request: Request, failure: sys.Error) void {
        device.send(request, -@as(i32, sys.errnoOf(failure)), 0);
    }

    fn send(device: Device, request: Request, failure: i32, size: usize) void {
        const total = @sizeOf(abi.OutHeader) + size;
        const header: *abi.OutHeader = @ptrCast(&reply_buffer);
        header.* = .{
            .size = @intCast(total),
            .failure = failure,
            .unique = request.header.unique,
        };
        _ = sys.write(device.fd, reply_buffer[0..total]) catch {
            // Nobody waits for it any more: interrupted, or unmounted.
        };
    }
};
