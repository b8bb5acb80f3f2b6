//! `bootsmith-guest supervise PROGRAM…`: process 1 once the machine is set up.
//!
//! It starts the programs, starts one again that crashed, takes leave of every orphan, and
//! ends the machine on the signals that ask process 1 for it.  A program that exits with 0 had
//! nothing to do (its port is not there) and is left alone.

const std = @import("std");
const linux = std.os.linux;

const console = @import("../console.zig");
const power = @import("power.zig");
const spawn = @import("../agent/spawn.zig");
const sys = @import("../sys.zig");

pub const programs_max = 8;

/// A program that lives shorter than this, this many times, is not started again.
const quick_ms = 1000;
const quick_crashes_max = 5;

const SIGPWR = 30;
const stop_signals = [_]struct { number: u6, mode: power.Mode }{
    .{ .number = power.signals.get(.power_off), .mode = .power_off },
    .{ .number = SIGPWR, .mode = .power_off },
    .{ .number = power.signals.get(.restart), .mode = .restart },
    .{ .number = linux.SIG.INT, .mode = .restart }, // Ctrl-Alt-Del
};

const Service = struct {
    path: [:0]const u8,
    environment: [*:null]const ?[*:0]const u8,
    pid: ?sys.pid_t = null,
    started_ms: u64 = 0,
    quick_crashes: u8 = 0,
};

/// Starts `paths` with `environment` and stays.  `error.PERM` in any process but the first: the
/// signals that end a machine would end somebody's own.
pub fn run(paths: []const [:0]const u8, environment: [*:null]const ?[*:0]const u8) sys.Error!void {
    if (linux.getpid() != 1) return error.PERM;
    var services: [programs_max]Service = undefined;
    if (paths.len > programs_max) return error.@"2BIG";
    const count = paths.len;
    for (services[0..count], paths) |*service, path| {
        service.* = .{ .path = path, .environment = environment };
    }
    const signals = try watchSignals();
    for (services[0..count]) |*service| start(service);
    while (true) {
        reap(services[0..count]);
        switch (try nextSignal(signals)) {
            linux.SIG.CHLD => {},
            else => |number| for (stop_signals) |stop| {
                if (number == stop.number) end(stop.mode);
            },
        }
    }
}

fn start(service: *Service) void {
    service.started_ms = sys.nowMs();
    service.pid = spawn.fork() catch |failure| {
        return console.complain(&.{ "cannot start ", service.path }, failure);
    } orelse {
        spawn.restoreSignals();
        const words = [_:null]?[*:0]const u8{service.path};
        _ = sys.check(linux.execve(service.path, &words, service.environment)) catch |failure| {
            console.complain(&.{ "cannot start ", service.path }, failure);
        };
        linux.exit_group(0); // Trying again would not help.
    };
}

/// Takes leave of every child that has ended.
fn reap(services: []Service) void {
    while (true) {
        var status: u32 = undefined;
        const pid = sys.check(linux.waitpid(-1, &status, linux.W.NOHANG)) catch return;
        if (pid == 0) return;
        for (services) |*service| if (service.pid == @as(sys.pid_t, @intCast(pid))) {
            service.pid = null;
            if (status != 0) restart(service);
        };
    }
}

fn restart(service: *Service) void {
    const lived_ms = sys.nowMs() - service.started_ms;
    service.quick_crashes = if (lived_ms < quick_ms) service.quick_crashes + 1 else 0;
    if (service.quick_crashes == quick_crashes_max) {
        return console.say(&.{ service.path, " keeps crashing; leaving it" });
    }
    console.say(&.{ service.path, " crashed; starting it again" });
    start(service);
}

fn end(mode: power.Mode) void {
    console.say(&.{switch (mode) {
        .power_off => "powering off",
        .restart => "restarting",
    }});
    power.endProcesses();
    console.complain(&.{"the machine does not stop"}, power.stop(mode));
}

fn watchSignals() sys.Error!sys.fd_t {
    var signals = linux.sigemptyset();
    linux.sigaddset(&signals, linux.SIG.CHLD);
    for (stop_signals) |stop| linux.sigaddset(&signals, stop.number);
    _ = try sys.check(linux.sigprocmask(linux.SIG.SETMASK, &signals, null));
    return @intCast(try sys.check(linux.signalfd(-1, &signals, linux.SFD.CLOEXEC)));
}

fn nextSignal(signals: sys.fd_t) sys.Error!u32 {
    var information: linux.signalfd_siginfo = undefined;
    const size = try sys.read(signals, std.mem.asBytes(&information));
    std.debug.assert(size == @sizeOf(linux.signalfd_siginfo));
    return information.signo;
}
