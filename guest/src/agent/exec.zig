//! A command under way: its input with credit, its outputs with windows, its end.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const Outbox = @import("../frame.zig").Outbox;
const pages = @import("../pages.zig");
const poll_set = @import("../poll_set.zig");
const request = @import("request.zig");
const Ring = @import("../ring.zig").Ring;
const spawn = @import("spawn.zig");
const sys = @import("../sys.zig");
const terminal = @import("terminal.zig");

/// How much input may be on its way to a command: what the host is granted at first.
pub const stdin_bytes_max = 4 << 20;
/// Credit is given back in pieces of this size, or when all input has been taken.
const credit_step_bytes = 256 << 10;
/// The largest piece of output in one message.
const output_bytes_max = 256 << 10;

/// What a terminal may still print after its command has ended, and for how long.
const drain_bytes_max = 64 << 10;
const drain_ms_max = 250;

pub const Exec = struct {
    id: u32,
    pid: sys.pid_t,
    on_terminal: bool,
    /// The command's own end of its terminal, until it has ended.
    terminal_fd: sys.fd_t,
    input: Input,
    stdout: Output,
    stderr: Output,
    /// The wait(2) status, once the command has ended.
    status: ?u32 = null,
    /// What remains to be read of a terminal after that.
    drain: struct { bytes: usize = 0, deadline_ms: u64 = 0 } = .{},

    pub fn start(id: u32, wanted: *const request.ExecRequest) sys.Error!Exec {
        const input = try Input.open(wanted.takes_input);
        const started = spawn.spawn(wanted) catch |failure| {
            input.release();
            return failure;
        };
        var exec: Exec = .{
            .id = id,
            .pid = started.pid,
            .on_terminal = wanted.terminal,
            .terminal_fd = started.terminal,
            .input = input,
            .stdout = .{ .name = "stdout", .fd = started.stdout, .window = wanted.stdout_window },
            .stderr = .{ .name = "stderr", .fd = started.stderr, .window = wanted.stderr_window },
        };
        exec.input.fd = started.stdin;
        if (!wanted.takes_input and started.stdin >= 0) exec.input.closeEnd();
        return exec;
    }

    /// Whether everything the command printed has been passed on and its status is known.
    pub fn isFinished(exec: *const Exec) bool {
        return exec.status != null and exec.stdout.fd < 0 and exec.stderr.fd < 0;
    }

    /// Notes that the command has ended.
    pub fn ended(exec: *Exec, status: u32) void {
        assert(exec.status == null);
        exec.status = status;
        exec.drain = .{ .bytes = drain_bytes_max, .deadline_ms = sys.nowMs() + drain_ms_max };
        exec.input.closeEnd();
        exec.closeTerminal();
    }

    pub fn awaitEvents(exec: *Exec, set: anytype, outbox: *const Outbox) void {
        exec.input.slot = .{};
        if (exec.input.fd >= 0 and exec.input.hasWork()) {
            exec.input.slot = set.add(exec.input.fd, .{ .write = true });
        }
        for ([_]*Output{ &exec.stdout, &exec.stderr }) |output| {
            output.slot = .{};
            if (output.fd < 0 or output.window == 0 or !output.hasRoom(outbox)) continue;
            output.slot = set.add(output.fd, .{ .read = true });
        }
        if (exec.isDraining()) {
            set.limit(@intCast(@min(exec.drain.deadline_ms -| sys.nowMs(), drain_ms_max)));
        }
    }

    pub fn handleEvents(exec: *Exec, set: anytype, outbox: *Outbox) void {
        if (set.writable(exec.input.slot)) exec.input.feed(exec.on_terminal);
        for ([_]*Output{ &exec.stdout, &exec.stderr }) |output| {
            if (!set.readable(output.slot)) continue;
            if (!output.hasRoom(outbox)) continue; // Another command was faster.
            const limit = if (exec.isDraining()) exec.drain.bytes else output_bytes_max;
            const size = output.pass(exec.id, limit, outbox);
            if (exec.isDraining()) exec.drain.bytes -= size;
        }
        if (exec.isDraining() and
            (exec.drain.bytes == 0 or sys.nowMs() >= exec.drain.deadline_ms)) exec.stdout.close();
    }

    /// Lets the host send more input, when the command has taken enough of the last.
    pub fn grantCredit(exec: *Exec, outbox: *Outbox) void {
        if (exec.input.creditDue() and outbox.hasRoomForAnswer()) {
            exec.input.grant(exec.id, outbox);
        }
    }

    pub fn sendResponse(exec: *const Exec, outbox: *Outbox) void {
        const status = exec.status.?;
        const by_signal = linux.W.IFSIGNALED(status);
        var writer = outbox.begin("exec_response", exec.id, if (by_signal) 2 else 1);
        writer.text("exit_code");
        if (by_signal) {
            const number = linux.W.TERMSIG(status);
            writer.unsigned(128 + number);
            writer.text("signal");
            writer.unsigned(number);
        } else {
            writer.unsigned(linux.W.EXITSTATUS(status));
        }
        outbox.finish(writer);
    }

    pub fn resize(exec: *Exec, size: terminal.Size) sys.Error!void {
        if (!exec.on_terminal or exec.stdout.fd < 0) return error.NOTTY;
        try terminal.resize(exec.stdout.fd, size);
    }

    /// Sends a signal to the command's whole process group.
    pub fn signal(exec: *const Exec, number: u8) sys.Error!void {
        if (exec.status != null) return error.SRCH;
        _ = try sys.check(linux.kill(-exec.pid, number));
    }

    /// Lets go of everything.  A command that still runs is hung up on, as when a terminal's
    /// line is cut, and loses its pipes.
    pub fn release(exec: *Exec) void {
        exec.signal(linux.SIG.HUP) catch {
            // It has ended already.
        };
        exec.input.closeEnd();
        exec.input.release();
        exec.stdout.close();
        exec.stderr.close();
        exec.closeTerminal();
    }

    fn closeTerminal(exec: *Exec) void {
        if (exec.terminal_fd >= 0) sys.close(exec.terminal_fd);
        exec.terminal_fd = -1;
    }

    fn isDraining(exec: *const Exec) bool {
        return exec.on_terminal and exec.status != null and exec.stdout.fd >= 0;
    }
};

/// The way of the host's bytes into a command.
const Input = struct {
    fd: sys.fd_t = -1,
    queue: Ring,
    /// What the host may send, and what it may be granted anew.
    credit: usize = 0,
    consumed: usize,
    ended: bool = false,
    slot: poll_set.Slot = .{},

    fn open(wanted: bool) sys.Error!Input {
        if (!wanted) return .{ .queue = .{ .memory = &.{} }, .consumed = 0 };
        const memory = try pages.map(stdin_bytes_max);
        return .{ .queue = .{ .memory = memory }, .consumed = stdin_bytes_max };
    }

    fn release(input: *const Input) void {
        pages.unmap(input.queue.memory);
    }

    pub const Refusal = error{ NotWanted, TooLarge, NoCredit };

    /// Takes what the host sends; after `last` nothing more may come.
    pub fn receive(input: *Input, data: []const u8, last: bool) Refusal!void {
        if (input.queue.memory.len == 0 or input.ended) return error.NotWanted;
        if (data.len > stdin_bytes_max) return error.TooLarge;
        if (data.len > input.credit) return error.NoCredit;
        input.credit -= data.len;
        input.ended = last;
        if (input.fd >= 0) input.queue.push(data); // Else the command no longer reads.
    }

    fn hasWork(input: *const Input) bool {
        return input.queue.size > 0 or input.ended;
    }

    /// Gives the command as much as it takes, then the end.
    fn feed(input: *Input, on_terminal: bool) void {
        while (input.queue.size > 0) {
            const size = sys.write(input.fd, input.queue.front()) catch |failure| {
                if (failure != error.AGAIN) input.closeEnd();
                return;
            };
            input.queue.pop(size);
            input.consumed += size;
        }
        if (!input.ended) return;
        if (on_terminal) {
            const size = sys.write(input.fd, &.{terminal.end_of_input}) catch |failure| {
                if (failure != error.AGAIN) input.closeEnd();
                return;
            };
            assert(size == 1);
        }
        input.closeEnd();
    }

    /// Nobody reads any more: what is queued is dropped, and no new credit is given.
    fn closeEnd(input: *Input) void {
        if (input.fd >= 0) sys.close(input.fd);
        input.fd = -1;
        input.queue.pop(input.queue.size);
        input.consumed = 0;
    }

    fn creditDue(input: *const Input) bool {
        if (input.fd < 0 or input.ended or input.consumed == 0) return false;
        return input.consumed >= credit_step_bytes or input.queue.size == 0;
    }

    fn grant(input: *Input, id: u32, outbox: *Outbox) void {
        var writer = outbox.begin("stdin_window", id, 1);
        writer.text("stdin");
        writer.unsigned(input.consumed);
        outbox.finish(writer);
        input.credit += input.consumed;
        input.consumed = 0;
        assert(input.credit + input.queue.size <= stdin_bytes_max);
    }
};

/// Where output rests between the command's pipe and its message.
var scratch: [output_bytes_max]u8 = undefined;

/// The way of a command's output to the host, never more than its window.
const Output = struct {
    name: []const u8,
    fd: sys.fd_t,
    window: u32,
    slot: poll_set.Slot = .{},

    fn hasRoom(output: *const Output, outbox: *const Outbox) bool {
        return outbox.hasRoomFor(@min(output.window, output_bytes_max));
    }

    /// Reads once and passes that on.  Returns how much it was; closes at the end.
    fn pass(output: *Output, id: u32, limit: usize, outbox: *Outbox) usize {
        const room = @min(limit, output.window, scratch.len);
        const size = sys.read(output.fd, scratch[0..room]) catch |failure| {
            // A terminal whose other end is closed reports EIO.
            if (failure != error.AGAIN) output.close();
            return 0;
        };
        if (size == 0) {
            output.close();
            return 0;
        }
        output.window -= @intCast(size);
        var writer = outbox.begin("exec_output", id, 2);
        writer.text("stream");
        writer.text(output.name);
        writer.text("data");
        writer.bytes(scratch[0..size]);
        outbox.finish(writer);
        return size;
    }

    pub fn extend(output: *Output, more: u64) void {
        const sum = @as(u64, output.window) +| more;
        output.window = @intCast(@min(sum, request.window_bytes_max));
    }

    fn close(output: *Output) void {
        if (output.fd >= 0) sys.close(output.fd);
        output.fd = -1;
    }
};
