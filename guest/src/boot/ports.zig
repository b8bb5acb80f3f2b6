//! Virtio-serial ports by name: `/dev/virtio-ports/<name>`, as udev would link them.

const std = @import("std");
const linux = std.os.linux;

const console = @import("../console.zig");
const Folder = @import("../folder.zig").Folder;
const sys = @import("../sys.zig");
const Uevents = @import("uevents.zig").Uevents;

const class_folder = "/sys/class/virtio-ports";
const driver_folder = "/sys/bus/virtio/drivers/virtio_console";
const link_folder = "/dev/virtio-ports";

/// The port that every host of ours has: when it is there, all are.
pub const agent_port = "virtio-port";

/// The kernel learns the ports' names from the host after the driver has started.
const wait_ms = 2000;

pub const name_bytes_max = 64;

/// Makes a link for every port.  A machine without such a device is left alone.
pub fn link() void {
    if (!hasDevice()) return;
    var path: sys.PathBuffer = undefined;
    if (waitFor(agent_port, &path) == null) {
        console.say(&.{ "no virtio-serial port '", agent_port, "'" });
    }
    linkAll() catch |failure| console.complain(&.{link_folder}, failure);
}

/// The device of the port called `name`; null when it does not appear in time.
pub fn waitFor(name: []const u8, path: *sys.PathBuffer) ?[:0]const u8 {
    const events = Uevents.open() catch |failure| {
        console.complain(&.{"cannot listen for devices"}, failure);
        return find(name, path);
    };
    defer events.close();
    const deadline_ms = sys.nowMs() + wait_ms;
    while (true) {
        if (find(name, path)) |found| return found;
        events.wait(deadline_ms) catch return null;
    }
}

/// The path of the device whose port is called `name`, in `path`.
pub fn find(name: []const u8, path: *sys.PathBuffer) ?[:0]const u8 {
    var ports = Folder.open(class_folder) catch return null;
    defer ports.close();
    while (ports.next() catch null) |entry| {
        var buffer: [name_bytes_max]u8 = undefined;
        const found = readName(entry.name, &buffer) catch continue;
        if (!std.mem.eql(u8, found, name)) continue;
        return sys.join(path, &.{ "/dev/", entry.name }) catch null;
    }
    return null;
}

/// Whether a virtio-serial device is there, whose ports may still be on their way.
pub fn hasDevice() bool {
    var devices = Folder.open(driver_folder) catch return false;
    defer devices.close();
    while (devices.next() catch null) |entry| {
        if (std.mem.startsWith(u8, entry.name, "virtio")) return true;
    }
    return false;
}

fn linkAll() sys.Error!void {
    try sys.mkdir(link_folder, 0o755);
    var ports = try Folder.open(class_folder);
    defer ports.close();
    while (try ports.next()) |entry| {
        var buffer: [name_bytes_max]u8 = undefined;
        const name = readName(entry.name, &buffer) catch continue; // A port without a name.
        if (name.len == 0 or std.mem.indexOfScalar(u8, name, '/') != null) continue;
        var paths: [2]sys.PathBuffer = undefined;
        const device = try sys.join(&paths[0], &.{ "../", entry.name });
        const place = try sys.join(&paths[1], &.{ link_folder, "/", name });
        sys.symlink(device, place) catch |failure| if (failure != error.EXIST) return failure;
    }
}

fn readName(device: []const u8, buffer: *[name_bytes_max]u8) sys.Error![]const u8 {
    var path: sys.PathBuffer = undefined;
    const attribute = try sys.join(&path, &.{ class_folder, "/", device, "/name" });
    return std.mem.trimEnd(u8, try sys.readFile(attribute, buffer), "\n");
}
