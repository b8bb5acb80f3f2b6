//! The commands under way, and the requests that are about commands.

const std = @import("std");
const linux = std.os.linux;

const answer = @import("answer.zig");
const Exec = @import("exec.zig").Exec;
const ExecRequest = @import("request.zig").ExecRequest;
const frame = @import("../frame.zig");
const Message = @import("../message.zig").Message;
const Outbox = frame.Outbox;
const sys = @import("../sys.zig");

/// How many commands may run at once.
pub const execs_max = 64;
/// What each of them may wait for: its input, its output and its errors.
pub const descriptors_max = 3 * execs_max;

/// The words of one exec_request, until its command has been started.
var request_memory: [frame.frame_bytes_max + (2 << 20)]u8 = undefined;

pub const Outcome = error{ WrongType, UnknownId }!void;

pub const ExecTable = struct {
    /// The environment of every command, unless its request says otherwise.
    environment: []const [*:0]const u8,
    slots: [execs_max]?Exec = @splat(null),

    pub fn awaitEvents(table: *ExecTable, set: anytype, outbox: *const Outbox) void {
        for (&table.slots) |*slot| if (slot.*) |*exec| exec.awaitEvents(set, outbox);
    }

    pub fn handleEvents(table: *ExecTable, set: anytype, outbox: *Outbox) void {
        for (&table.slots) |*slot| if (slot.*) |*exec| exec.handleEvents(set, outbox);
    }

    /// Grants credit and reports ends, as far as there is room.
    pub fn report(table: *ExecTable, outbox: *Outbox) void {
        for (&table.slots) |*slot| if (slot.*) |*exec| {
            exec.grantCredit(outbox);
            if (!exec.isFinished() or !outbox.hasRoomForAnswer()) continue;
            exec.sendResponse(outbox);
            exec.release();
            slot.* = null;
        };
    }

    /// Notes that the process `pid` has ended, if it is one of these.
    pub fn ended(table: *ExecTable, pid: sys.pid_t, status: u32) void {
        for (&table.slots) |*slot| if (slot.*) |*exec| {
            if (exec.pid == pid and exec.status == null) exec.ended(status);
        };
    }

    /// Hangs up on every command.
    pub fn releaseAll(table: *ExecTable) void {
        for (&table.slots) |*slot| {
            if (slot.*) |*exec| exec.release();
            slot.* = null;
        }
    }

    pub fn start(table: *ExecTable, received: Message, outbox: *Outbox) Outcome {
        const id = received.id;
        if (table.find(id) != null) {
            return answer.refuse(outbox, id, .invalid_request, "a command with this id is running");
        }
        const slot = for (&table.slots) |*slot| {
            if (slot.* == null) break slot;
        } else return answer.refuse(outbox, id, .exec_failed, "64 commands are running already");

        var memory = std.heap.FixedBufferAllocator.init(&request_memory);
        const wanted = ExecRequest.read(
            received.body,
            table.environment,
            memory.allocator(),
        ) catch |failure| switch (failure) {
            error.WrongType => return error.WrongType,
            error.OutOfMemory => return answer.fail(outbox, id, .exec_failed, error.@"2BIG"),
        };
        slot.* = Exec.start(id, &wanted) catch |failure| {
            return answer.fail(outbox, id, .exec_failed, failure);
        };
    }

    pub fn receiveInput(table: *ExecTable, received: Message, outbox: *Outbox) Outcome {
        const data = try received.body.content("data");
        const last = try received.body.flag("eof", false);
        const id = received.id;
        const exec = table.find(id) orelse return error.UnknownId;
        exec.input.receive(data, last) catch |refusal| switch (refusal) {
            error.NotWanted => {
                answer.refuse(outbox, id, .invalid_request, "the command takes no input");
            },
            error.TooLarge => {
                answer.refuse(outbox, id, .stdin_chunk_too_large, "more than 4 MiB at once");
            },
            error.NoCredit => {
                answer.refuse(outbox, id, .stdin_backpressure, "more than was granted");
            },
        };
    }

    pub fn resizeTerminal(table: *ExecTable, received: Message, outbox: *Outbox) Outcome {
        const rows = try (try received.body.required("rows")).number(u16);
        const columns = try (try received.body.required("cols")).number(u16);
        const exec = table.find(received.id) orelse return; // As with windows, below.
        exec.resize(.{ .rows = rows, .columns = columns }) catch {
            answer.refuse(outbox, received.id, .invalid_request, "the command has no terminal");
        };
    }

    pub fn extendWindow(table: *ExecTable, received: Message) Outcome {
        const stdout = try received.body.amount("stdout");
        const stderr = try received.body.amount("stderr");
        // Credit is on its way whenever a command ends: for one that is gone it means nothing.
        const exec = table.find(received.id) orelse return;
        exec.stdout.extend(stdout);
        exec.stderr.extend(stderr);
    }

    /// An extension of bootsmith: a signal for a command's process group.
    pub fn signal(table: *ExecTable, received: Message) Outcome {
        const item = try received.body.required("signal");
        const number = try item.number(u8);
        if (number == 0 or number >= linux.NSIG) return error.WrongType;
        const exec = table.find(received.id) orelse return;
        exec.signal(number) catch {
            // It has just ended; its response says how.
        };
    }

    fn find(table: *ExecTable, id: u32) ?*Exec {
        for (&table.slots) |*slot| if (slot.*) |*exec| {
            if (exec.id == id) return exec;
        };
        return null;
    }
};
