//! `/init` of the initramfs: loads the modules it was packed with, waits for the root device,
//! mounts it and hands over to the init in there.  It needs no shell and no other program.
//!
//! From the kernel's command line: `root=` (a path below /dev, or the tag of a virtiofs or 9p
//! share; `/dev/vda`), `rootfstype=` (a list; tried in order), `rootflags=`, `ro`, `init=`;
//! `bootsmith.tree` works on the root file system instead of starting what is in it.

const std = @import("std");
const linux = std.os.linux;

const CommandLine = @import("command_line.zig").CommandLine;
const console = @import("../console.zig");
const Folder = @import("../folder.zig").Folder;
const modules = @import("modules.zig");
const mounts = @import("mounts.zig");
const power = @import("power.zig");
const Removal = @import("../removal.zig").Removal;
const sys = @import("../sys.zig");
const tree = @import("../tree/serve.zig");
const Uevents = @import("uevents.zig").Uevents;

const module_list = "/modules.load";
const new_root = "/newroot";
const root_device_default = "/dev/vda";
const root_kinds_default = "ext4,erofs,squashfs";
const init_defaults = [_][:0]const u8{ "/init", "/sbin/init" };

/// How long the root device may take to appear after its driver has been loaded.
const device_wait_ms = 10_000;

/// Boots into the root file system, or says on the console why not and powers off.
pub fn run() noreturn {
    mounts.mountAll(&mounts.kernel_views);
    adoptConsole();
    var line: CommandLine = .{};
    line.load();

    // From here on: a device that appears while modules load must not be missed.
    const devices = Uevents.open() catch |failure| fail(&.{"cannot listen for devices"}, failure);
    modules.load(module_list, null) catch |failure| console.complain(&.{module_list}, failure);
    mountRoot(&line, devices);
    devices.close();

    if (line.has("bootsmith.tree")) fail(&.{"cannot serve"}, tree.run(&line));
    handOver(&line);
}

/// Makes the console standard input, output and error, here and for the init that follows.
fn adoptConsole() void {
    const fd = sys.open("/dev/console", .{ .ACCMODE = .RDWR, .NOCTTY = true }, 0) catch |failure| {
        return console.complain(&.{"/dev/console"}, failure);
    };
    for (0..3) |number| _ = linux.dup2(fd, @intCast(number));
    if (fd > 2) sys.close(fd);
}

fn mountRoot(line: *const CommandLine, devices: Uevents) void {
    const source = line.value("root") orelse root_device_default;
    const kinds = line.value("rootfstype") orelse root_kinds_default;
    const is_share = std.mem.eql(u8, kinds, "virtiofs") or std.mem.eql(u8, kinds, "9p");
    if (!is_share) waitForDevice(source, devices);

    const read_only = line.lastOf(.{ "rw", "ro" }) orelse 0 == 1;
    const options = line.value("rootflags") orelse "";
    var failure = mountAny(source, kinds, options, read_only);
    if (failure != null and !read_only and isWriteProtection(failure.?)) {
        failure = mountAny(source, kinds, options, true);
    }
    if (failure) |cause| fail(&.{ "cannot mount ", source, " (", kinds, ")" }, cause);
}

fn waitForDevice(path: []const u8, devices: Uevents) void {
    var buffer: sys.PathBuffer = undefined;
    const device = sys.terminated(&buffer, path) catch |failure| fail(&.{path}, failure);
    if (!std.mem.startsWith(u8, device, "/dev/")) {
        fail(&.{ "root=", path, ": only a path below /dev will do" }, error.INVAL);
    }
    if (sys.exists(device)) return;
    console.say(&.{ "waiting for ", path });
    const deadline_ms = sys.nowMs() + device_wait_ms;
    while (!sys.exists(device)) devices.wait(deadline_ms) catch {
        listBlockDevices();
        fail(&.{ "the root device ", path, " did not appear" }, error.TIMEDOUT);
    };
}

/// Says which block devices there are instead of the one that is missing.
fn listBlockDevices() void {
    var names: [512]u8 = undefined;
    var size: usize = 0;
    var devices = Folder.open("/sys/class/block") catch |failure| {
        return console.complain(&.{"/sys/class/block"}, failure);
    };
    defer devices.close();
    while (devices.next() catch null) |entry| {
        if (size + 1 + entry.name.len > names.len) break;
        names[size] = ' ';
        @memcpy(names[size + 1 ..][0..entry.name.len], entry.name);
        size += 1 + entry.name.len;
    }
    const nothing = " none (is the disk attached, and its driver packed?)";
    console.say(&.{ "block devices:", if (size == 0) nothing else names[0..size] });
}

/// Mounts the root file system as the first of `kinds` that fits; the failure when none does.
fn mountAny(
    source: []const u8,
    kinds: []const u8,
    options: []const u8,
    read_only: bool,
) ?sys.Error {
    const access = if (read_only) ", read-only" else "";
    var failure: sys.Error = error.NODEV;
    var rest = std.mem.tokenizeScalar(u8, kinds, ',');
    while (rest.next()) |kind| {
        mountAs(source, kind, options, read_only) catch |cause| {
            failure = cause;
            // The file system is another one, or the kernel does not know this one.
            if (cause == error.INVAL or cause == error.NODEV) continue;
            return failure;
        };
        console.say(&.{ "mounted ", source, " (", kind, access, ")" });
        return null;
    }
    return failure;
}

fn mountAs(
    source: []const u8,
    kind: []const u8,
    options: []const u8,
    read_only: bool,
) sys.Error!void {
    var buffers: [3]sys.PathBuffer = undefined;
    const flags: u32 = if (read_only) linux.MS.RDONLY else 0;
    _ = try sys.check(linux.mount(
        try sys.terminated(&buffers[0], source),
        new_root,
        try sys.terminated(&buffers[1], kind),
        flags | linux.MS.NOATIME,
        @intFromPtr((try sys.terminated(&buffers[2], options)).ptr),
    ));
}

fn isWriteProtection(failure: sys.Error) bool {
    return failure == error.ROFS or failure == error.ACCES;
}

fn handOver(line: *const CommandLine) noreturn {
    const asked = line.value("init");
    switchRoot() catch |failure| fail(&.{"cannot change to the new root"}, failure);

    if (asked) |path| {
        var buffer: sys.PathBuffer = undefined;
        const init = sys.terminated(&buffer, path) catch |failure| fail(&.{path}, failure);
        fail(&.{ "cannot start init=", path }, execute(init));
    }
    for (init_defaults) |path| {
        const failure = execute(path);
        if (failure != error.NOENT) fail(&.{ "cannot start ", path }, failure);
    }
    fail(&.{"the root file system has neither /init nor /sbin/init"}, error.NOENT);
}

/// Makes the mounted file system the root, takes the kernel's views along, and frees the
/// memory of the initramfs.
fn switchRoot() sys.Error!void {
    const old_root = try sys.open("/", .{ .DIRECTORY = true }, 0);
    defer sys.close(old_root);
    inline for (mounts.kernel_views) |view| {
        mounts.move(view.target, new_root ++ view.target) catch |failure| {
            console.complain(&.{ "the new root has no ", view.target }, failure);
        };
    }
    _ = try sys.check(linux.chdir(new_root));
    try mounts.move(".", "/");
    _ = try sys.check(linux.chroot("."));
    _ = try sys.check(linux.chdir("/"));
    empty(old_root) catch |failure| console.complain(&.{"cannot free the initramfs"}, failure);
}

var removal: Removal = undefined;

fn empty(root: sys.fd_t) sys.Error!void {
    try removal.begin(root, .{ .one_file_system = true });
    while (!try removal.advance(std.math.maxInt(usize))) {}
}

/// Becomes the init at `path`, with the environment the kernel gave.
fn execute(path: [*:0]const u8) sys.Error {
    const arguments = [_:null]?[*:0]const u8{path};
    const environment: [*:null]const ?[*:0]const u8 = @ptrCast(std.os.environ.ptr);
    _ = sys.check(linux.execve(path, &arguments, environment)) catch |failure| return failure;
    unreachable;
}

fn fail(parts: []const []const u8, failure: sys.Error) noreturn {
    console.complain(parts, failure);
    power.abandon();
}
