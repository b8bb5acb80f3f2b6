//! `bootsmith-guest network`: loopback and one Ethernet interface, from the kernel's `ip=` or
//! by DHCP, and the name servers that go with it.

const std = @import("std");
const linux = std.os.linux;

const CommandLine = @import("../boot/command_line.zig").CommandLine;
const console = @import("../console.zig");
const dhcp = @import("dhcp.zig");
const interface = @import("interface.zig");
const Interface = interface.Interface;
const lease_of = @import("lease.zig");
const Lease = lease_of.Lease;
const spawn = @import("../agent/spawn.zig");
const sys = @import("../sys.zig");

const device_default = "eth0";
const resolv_conf = "/etc/resolv.conf";
const run_folder = "/run/bootsmith";
const run_resolv_conf = run_folder ++ "/resolv.conf";

/// QEMU's user network: its name server is not its gateway (10.0.2.2), and `ip=` as its
/// users pass it does not name one.
const qemu_user_gateway = interface.Address{ 10, 0, 2, 2 };
const qemu_user_dns = interface.Address{ 10, 0, 2, 3 };

/// Brings the network up as far as there is one.  A machine without any is no failure.
pub fn configure(line: *const CommandLine) void {
    bringUpLoopback() catch |failure| console.complain(&.{"network: lo"}, failure);

    const text = line.value("ip") orelse "";
    const wanted = lease_of.IpParameter.parse(text) catch {
        return console.say(&.{ "network: ip=", text, " is malformed" });
    };
    if (wanted.off) return console.say(&.{"network: off"});
    const name = if (wanted.device.len > 0) wanted.device else device_default;
    var device = Interface.open(name) catch |failure| {
        if (failure == error.NODEV) return console.say(&.{ "network: no ", name });
        return console.complain(&.{ "network: ", name }, failure);
    };
    defer device.close();
    configureDevice(&device, name, wanted.lease) catch |failure| {
        console.complain(&.{ "network: ", name }, failure);
    };
}

fn bringUpLoopback() sys.Error!void {
    const loopback = try Interface.open("lo");
    defer loopback.close();
    try loopback.bringUp();
}

fn configureDevice(device: *Interface, name: []const u8, given: ?Lease) sys.Error!void {
    try device.bringUp();
    if (given) |lease| return apply(device, name, lease);
    const lease = dhcp.obtain(device.*, &dhcp.patience_short_ms) catch |failure| {
        if (failure != error.TIMEDOUT) return failure;
        console.say(&.{ "network: ", name, ": no DHCP server has answered so far" });
        return askInBackground(device, name);
    };
    try apply(device, name, lease);
}

/// Goes on asking in a process of its own, so that the machine need not wait.
fn askInBackground(device: *Interface, name: []const u8) sys.Error!void {
    if (try spawn.fork() != null) return;
    if (dhcp.obtain(device.*, &dhcp.patience_long_ms)) |lease| {
        apply(device, name, lease) catch |failure| {
            console.complain(&.{ "network: ", name }, failure);
        };
    } else |failure| console.complain(&.{ "network: ", name, ": DHCP" }, failure);
    linux.exit_group(0);
}

fn apply(device: *Interface, name: []const u8, wanted: Lease) sys.Error!void {
    var lease = wanted;
    try device.setAddress(lease.address, lease.mask);
    if (lease.gateway) |gateway| try device.setGateway(gateway);
    if (lease.dns_count == 0) addDefaultDns(&lease);
    var texts: [2][15]u8 = undefined;
    const address = interface.formatAddress(&texts[0], lease.address);
    if (lease.gateway) |gateway| {
        const through = interface.formatAddress(&texts[1], gateway);
        console.say(&.{ "network: ", name, " ", address, ", gateway ", through });
    } else console.say(&.{ "network: ", name, " ", address });
    writeResolvConf(&lease) catch |failure| {
        console.complain(&.{"network: " ++ resolv_conf}, failure);
    };
}

fn addDefaultDns(lease: *Lease) void {
    const gateway = lease.gateway orelse return;
    lease.addDns(if (std.meta.eql(gateway, qemu_user_gateway)) qemu_user_dns else gateway);
}

/// Names the servers in /run and, where the image has no other idea of it, in /etc.
fn writeResolvConf(lease: *const Lease) sys.Error!void {
    if (lease.dns_count == 0) return;
    var text: [lease_of.dns_max * 32]u8 = undefined;
    var size: usize = 0;
    for (lease.dns[0..lease.dns_count]) |address| {
        var digits: [15]u8 = undefined;
        const parts = .{ "nameserver ", interface.formatAddress(&digits, address), "\n" };
        inline for (parts) |part| {
            @memcpy(text[size..][0..part.len], part);
            size += part.len;
        }
    }
    try sys.mkdirAll(run_folder, 0o755);
    try sys.writeFile(run_resolv_conf, text[0..size], 0o644);
    sys.writeFile(resolv_conf, text[0..size], 0o644) catch |failure| switch (failure) {
        // A link into /run (systemd-resolved, resolvconf) that dangles: nobody made its target.
        error.NOENT => {
            try sys.unlink(linux.AT.FDCWD, resolv_conf, 0);
            try sys.symlink(run_resolv_conf, resolv_conf);
        },
        // A root file system that cannot be written to: ours lies over the image's own.
        error.ROFS => {
            const result = linux.mount(run_resolv_conf, resolv_conf, null, linux.MS.BIND, 0);
            _ = try sys.check(result);
        },
        else => return failure,
    };
}
