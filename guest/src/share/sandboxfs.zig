//! `sandboxfs --mount FOLDER`: a FUSE file system whose files are the host's.

const std = @import("std");
const linux = std.os.linux;

const arguments = @import("../arguments.zig");
const console = @import("../console.zig");
const Device = @import("device.zig").Device;
const operations = @import("operations.zig");
const Port = @import("../port.zig").Port;
const sys = @import("../sys.zig");

const source = "sandboxfs";
pub const kind = "fuse.sandboxfs";

pub const Options = struct { target: [:0]const u8, port: Port.Source };

/// Mounts at `options.target` and serves until that is unmounted.
pub fn serve(options: Options) sys.Error!void {
    var system: operations.FileSystem = .{
        .device = try Device.open(),
        .host = .{ .port = try Port.open(options.port) },
    };
    try mount(system.device.fd, options.target);
    while (try system.device.next()) |request| operations.handle(&system, request);
}

fn mount(device: sys.fd_t, target: [*:0]const u8) sys.Error!void {
    var buffer: [128]u8 = undefined;
    var digits: [20]u8 = undefined;
    const parts = [_][]const u8{
        "fd=",
        console.decimal(&digits, @intCast(device)),
        // The host decides whose the files are; every user of the guest may use the share as
        // far as owner and mode allow.
        ",rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
    };
    var size: usize = 0;
    for (parts) |part| {
        @memcpy(buffer[size..][0..part.len], part);
        size += part.len;
    }
    buffer[size] = 0;
    const flags = linux.MS.NOSUID | linux.MS.NODEV;
    const result = linux.mount(source, target, kind, flags, @intFromPtr(&buffer));
    _ = try sys.check(result);
}
