//! `sandboxd`: runs commands and moves files for the host, over one port.
//!
//! One thread, one loop, fixed limits.  Requests are only read while there is room to answer
//! them, commands only while there is room for what they print, so a slow host slows the
//! commands down and costs no memory.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const answer = @import("answer.zig");
const console = @import("../console.zig");
const exec_table = @import("exec_table.zig");
const FileTable = @import("file_table.zig").FileTable;
const frame = @import("../frame.zig");
const machine = @import("machine.zig");
const message = @import("../message.zig");
const poll_set = @import("../poll_set.zig");
const Port = @import("../port.zig").Port;
const sys = @import("../sys.zig");

/// The port, the exits of children, and what the commands wait for.
const PollSet = poll_set.PollSet(2 + exec_table.descriptors_max);

/// Zero pages until used: what a quiet agent does not need costs nothing.
var inbox: frame.Inbox = .{ .buffer = undefined };
var outbox: frame.Outbox = .{ .buffer = undefined };
var files: FileTable = .{};

const Agent = struct {
    port: Port,
    execs: exec_table.ExecTable,
    set: PollSet = .{},
    child_exits: sys.fd_t,
    greeted: bool = false,
};

/// Serves the hosts that come to `source`, one after the other; returns when none can.
pub fn serve(source: Port.Source, environment: []const [*:0]const u8) sys.Error!void {
    var agent: Agent = .{
        .port = try Port.open(source),
        .execs = .{ .environment = environment },
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
        set.add(agent.port.fd, .{ .read = outbox.hasRoomForAnswer(), .write = !outbox.isEmpty() })
    else
        set.add(agent.port.watch_fd, .{ .read = true });
    agent.execs.awaitEvents(set, &outbox);
    files.awaitEvents(set, &outbox);

    try set.wait();

    if (set.readable(exits)) reapChildren(agent);
    if (agent.port.isConnected()) {
        agent.execs.handleEvents(set, &outbox);
        files.advance(&outbox);
        if (!exchange(agent, set.readable(port))) forgetHost(agent);
    } else if (set.readable(port)) try agent.port.connect();
}

/// Takes requests and gives answers.  False: this connection is over.
fn exchange(agent: *Agent, readable: bool) bool {
    if (readable and outbox.hasRoomForAnswer()) {
        receive(agent.port.fd) catch |failure| if (failure != error.AGAIN) return false;
    }
    while (outbox.hasRoomForAnswer()) {
        const next = inbox.next() catch return refuseConnection();
        const received = message.parse(next orelse break) catch return refuseConnection();
        handle(agent, received);
    }
    agent.execs.report(&outbox);
    outbox.flush(agent.port.fd) catch |failure| return failure == error.AGAIN;
    return true;
}

/// Reads until a frame is whole.  A virtio port gives a page at a time, however much has arrived:
/// a turn of the loop for each would cost twice what reading it does.
fn receive(fd: sys.fd_t) sys.Error!void {
    while (!inbox.hasFrame()) {
        const size = try sys.read(fd, inbox.space());
        if (size == 0) return error.PIPE;
        inbox.filled(size);
    }
}

fn refuseConnection() bool {
    console.say(&.{"sandboxd: the host sent a malformed frame; closing the connection"});
    return false;
}

/// The first message of every connection.
fn greet(agent: *Agent) void {
    assert(outbox.isEmpty());
    machine.greet(&outbox);
    agent.greeted = true;
}

/// What a host asked for ends with its connection: another one could not tell its ids.
fn forgetHost(agent: *Agent) void {
    agent.execs.releaseAll();
    files.releaseAll();
    inbox.clear();
    outbox.clear();
    agent.port.disconnect();
    agent.greeted = false;
}

const Request = enum {
    exec_request,
    stdin_data,
    pty_resize,
    exec_window,
    file_read_request,
    file_write_request,
    file_write_data,
    file_delete_request,
    // Extensions of bootsmith, which other hosts never send.
    exec_signal,
    sync_request,
    shutdown_request,
};

fn handle(agent: *Agent, received: message.Message) void {
    const request = std.meta.stringToEnum(Request, received.kind) orelse {
        return answer.refuse(&outbox, received.id, .invalid_request, "unknown message type");
    };
    const execs = &agent.execs;
    const outcome = switch (request) {
        .exec_request => execs.start(received, &outbox),
        .stdin_data => execs.receiveInput(received, &outbox),
        .pty_resize => execs.resizeTerminal(received, &outbox),
        .exec_window => execs.extendWindow(received),
        .file_read_request => files.startRead(received, &outbox),
        .file_write_request => files.startWrite(received, &outbox),
        .file_write_data => files.receiveContent(received, &outbox),
        .file_delete_request => files.delete(received, &outbox),
        .exec_signal => execs.signal(received),
        .sync_request => machine.sync(received, &outbox),
        .shutdown_request => machine.shutDown(received, &outbox, agent.port.fd),
    };
    outcome catch |failure| switch (failure) {
        error.WrongType => {
            answer.refuse(&outbox, received.id, .invalid_request, "a field is missing or wrong");
        },
        error.UnknownId => {
            answer.refuse(&outbox, received.id, .unknown_id, "nothing under way has this id");
        },
    };
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
        agent.execs.ended(@intCast(pid), status);
    }
}
