//! `sandboxd`: runs commands and moves files for the host, over one port.
//!
//! One thread, one loop, fixed limits.  Requests are only read while there is room to answer
//! them, commands only while there is room for what they print, so a slow host slows the
//! commands down and costs no memory.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const cbor = @import("../cbor.zig");
const console = @import("../console.zig");
const Exec = @import("exec.zig").Exec;
const ExecRequest = @import("request.zig").ExecRequest;
const frame = @import("../frame.zig");
const message = @import("../message.zig");
const poll_set = @import("../poll_set.zig");
const Port = @import("../port.zig").Port;
const sys = @import("../sys.zig");

/// How many commands may run at once.
const execs_max = 64;

/// The port, its waker, child exits, and three descriptors a command.
const PollSet = poll_set.PollSet(3 + 3 * execs_max);

/// The words of one exec_request, until its command has been started.
const request_bytes_max = frame.frame_bytes_max + (2 << 20);

/// Zero pages until used: what a quiet agent does not need costs nothing.
var inbox: frame.Inbox = .{ .buffer = undefined };
var outbox: frame.Outbox = .{ .buffer = undefined };
var request_memory: [request_bytes_max]u8 = undefined;

const Agent = struct {
    port: Port,
    environment: []const [*:0]const u8,
    execs: [execs_max]?Exec = @splat(null),
    set: PollSet = .{},
    child_exits: sys.fd_t,
    greeted: bool = false,
};

/// Serves the hosts that come to `source`, one after the other; returns when none can.
pub fn serve(source: Port.Source, environment: []const [*:0]const u8) sys.Error!void {
    var agent: Agent = .{
        .port = try Port.open(source),
        .environment = environment,
        .child_exits = try watchChildren(),
    };
    while (!agent.port.isGone()) try turn(&agent);
}

fn turn(agent: *Agent) sys.Error!void {
    if (agent.port.isConnected() and !agent.greeted) greet(agent);

    const set = &agent.set;
    set.clear();
    const exits = set.add(agent.child_exits, .{ .read = true });
    const port = if (agent.port.isConnected())
        set.add(agent.port.fd, .{
            .read = outbox.hasRoomForAnswer(),
            .write = !outbox.isEmpty(),
        })
    else
        set.add(agent.port.watch_fd, .{ .read = true });
    for (&agent.execs) |*slot| if (slot.*) |*exec| exec.awaitEvents(set, &outbox);

    try set.wait();

    if (set.readable(exits)) reapChildren(agent);
    for (&agent.execs) |*slot| if (slot.*) |*exec| exec.handleEvents(set, &outbox);
    if (agent.port.isConnected()) {
        if (!exchange(agent, set.readable(port))) forgetHost(agent);
    } else if (set.readable(port)) try agent.port.connect();
}

/// Takes requests and gives answers.  False: this connection is over.
fn exchange(agent: *Agent, readable: bool) bool {
    if (readable and outbox.hasRoomForAnswer()) {
        const size = sys.read(agent.port.fd, inbox.space()) catch |failure| switch (failure) {
            error.AGAIN => null,
            else => return false,
        };
        if (size == 0) return false;
        inbox.filled(size orelse 0);
    }
    while (outbox.hasRoomForAnswer()) {
        const next = inbox.next() catch return refuseConnection();
        const received = message.parse(next orelse break) catch return refuseConnection();
        handle(agent, received);
    }
    report(agent);
    outbox.flush(agent.port.fd) catch |failure| return failure == error.AGAIN;
    return true;
}

fn refuseConnection() bool {
    console.say(&.{"sandboxd: the host sent a malformed frame; closing the connection"});
    return false;
}

/// The first message of every connection.
fn greet(agent: *Agent) void {
    assert(outbox.isEmpty());
    outbox.finish(outbox.begin("vfs_ready", 0, 0));
    agent.greeted = true;
}

fn forgetHost(agent: *Agent) void {
    for (&agent.execs) |*slot| {
        if (slot.*) |*exec| exec.release();
        slot.* = null;
    }
    inbox.clear();
    outbox.clear();
    agent.port.disconnect();
    agent.greeted = false;
}

fn report(agent: *Agent) void {
    for (&agent.execs) |*slot| if (slot.*) |*exec| {
        exec.report(&outbox);
        if (!exec.isFinished() or !outbox.hasRoomForAnswer()) continue;
        exec.sendResponse(&outbox);
        exec.release();
        slot.* = null;
    };
}

const Request = enum {
    exec_request,
    stdin_data,
    pty_resize,
    exec_window,
    exec_signal,
};

fn handle(agent: *Agent, received: message.Message) void {
    const request = std.meta.stringToEnum(Request, received.kind) orelse {
        return refuse(received.id, .invalid_request, "unknown message type");
    };
    const outcome = switch (request) {
        .exec_request => startExec(agent, received),
        .stdin_data => receiveInput(agent, received),
        .pty_resize => resizeTerminal(agent, received),
        .exec_window => extendWindow(agent, received),
        .exec_signal => signalExec(agent, received),
    };
    outcome catch |failure| switch (failure) {
        error.WrongType => refuse(received.id, .invalid_request, "a field is missing or wrong"),
        error.UnknownId => refuse(received.id, .unknown_id, "no command has this id"),
    };
}

const Outcome = error{ WrongType, UnknownId }!void;

fn startExec(agent: *Agent, received: message.Message) Outcome {
    if (find(agent, received.id) != null) {
        return refuse(received.id, .invalid_request, "a command with this id is running");
    }
    const slot = for (&agent.execs) |*slot| {
        if (slot.* == null) break slot;
    } else return refuse(received.id, .exec_failed, "64 commands are running already");

    var memory = std.heap.FixedBufferAllocator.init(&request_memory);
    const wanted = ExecRequest.read(received.body, agent.environment, memory.allocator()) catch |failure|
        switch (failure) {
            error.WrongType => return error.WrongType,
            error.OutOfMemory => return refuse(received.id, .exec_failed, "argument list too long"),
        };
    slot.* = undefined_exec;
    slot.*.?.start(received.id, &wanted) catch |failure| {
        slot.* = null;
        return refuse(received.id, .exec_failed, sys.describe(failure));
    };
}

const undefined_exec: ?Exec = @as(Exec, undefined);

fn receiveInput(agent: *Agent, received: message.Message) Outcome {
    const exec = find(agent, received.id) orelse return error.UnknownId;
    const data = if (try received.body.get("data")) |item| try item.bytes() else "";
    const last = if (try received.body.get("eof")) |item| try item.boolean() else false;
    exec.input.receive(data, last) catch |refusal| switch (refusal) {
        error.NotWanted => refuse(received.id, .invalid_request, "the command takes no input"),
        error.TooLarge => refuse(received.id, .stdin_chunk_too_large, "more than 4 MiB at once"),
        error.NoCredit => refuse(received.id, .stdin_backpressure, "more than was granted"),
    };
}

fn resizeTerminal(agent: *Agent, received: message.Message) Outcome {
    const rows = try (try received.body.get("rows") orelse return error.WrongType).number(u16);
    const columns = try (try received.body.get("cols") orelse return error.WrongType).number(u16);
    const exec = find(agent, received.id) orelse return; // As with windows, below.
    exec.resize(.{ .rows = rows, .columns = columns }) catch {
        return refuse(received.id, .invalid_request, "the command has no terminal");
    };
}

fn extendWindow(agent: *Agent, received: message.Message) Outcome {
    const stdout = if (try received.body.get("stdout")) |item| try item.unsigned() else 0;
    const stderr = if (try received.body.get("stderr")) |item| try item.unsigned() else 0;
    // Credit is on its way whenever a command ends: for one that is gone it means nothing.
    const exec = find(agent, received.id) orelse return;
    exec.stdout.extend(stdout);
    exec.stderr.extend(stderr);
}

/// An extension of bootsmith: a signal for a command's process group.
fn signalExec(agent: *Agent, received: message.Message) Outcome {
    const item = try received.body.get("signal") orelse return error.WrongType;
    const signal = try item.number(u8);
    if (signal == 0 or signal > 64) return error.WrongType;
    const exec = find(agent, received.id) orelse return;
    exec.signal(signal) catch {
        // It has just ended; its response says how.
    };
}

fn find(agent: *Agent, id: u32) ?*Exec {
    for (&agent.execs) |*slot| if (slot.*) |*exec| {
        if (exec.id == id) return exec;
    };
    return null;
}

const ErrorCode = enum {
    invalid_request,
    exec_failed,
    unknown_id,
    stdin_backpressure,
    stdin_chunk_too_large,
};

fn refuse(id: u32, code: ErrorCode, reason: []const u8) void {
    var writer = outbox.begin("error", id, 2);
    writer.text("code");
    writer.text(@tagName(code));
    writer.text("message");
    writer.text(reason);
    outbox.finish(writer);
}

/// A descriptor that is readable when a child has ended.
fn watchChildren() sys.Error!sys.fd_t {
    var signals = linux.sigemptyset();
    linux.sigaddset(&signals, linux.SIG.CHLD);
    _ = try sys.check(linux.sigprocmask(linux.SIG.BLOCK, &signals, null));
    const flags = linux.SFD.CLOEXEC | linux.SFD.NONBLOCK;
    return @intCast(try sys.check(linux.signalfd(-1, &signals, flags)));
}

/// Takes leave of every child that has ended: commands, and orphans when this is process 1.
fn reapChildren(agent: *Agent) void {
    var information: linux.signalfd_siginfo = undefined;
    while (sys.read(agent.child_exits, std.mem.asBytes(&information))) |_| {} else |_| {}
    while (true) {
        var status: u32 = undefined;
        const pid = sys.check(linux.waitpid(-1, &status, linux.W.NOHANG)) catch return;
        if (pid == 0) return;
        for (&agent.execs) |*slot| if (slot.*) |*exec| {
            if (exec.pid == pid and exec.status == null) exec.ended(status);
        };
    }
}
