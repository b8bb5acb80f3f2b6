//! The kernel's FUSE protocol (include/uapi/linux/fuse.h), version 7.31: what sandboxfs uses.

const assert = @import("std").debug.assert;

pub const version_major = 7;
pub const version_minor = 31;

pub const Opcode = enum(u32) {
    lookup = 1,
    forget = 2,
    getattr = 3,
    setattr = 4,
    readlink = 5,
    symlink = 6,
    mknod = 8,
    mkdir = 9,
    unlink = 10,
    rmdir = 11,
    rename = 12,
    link = 13,
    open = 14,
    read = 15,
    write = 16,
    statfs = 17,
    release = 18,
    fsync = 20,
    setxattr = 21,
    getxattr = 22,
    listxattr = 23,
    removexattr = 24,
    flush = 25,
    init = 26,
    opendir = 27,
    readdir = 28,
    releasedir = 29,
    fsyncdir = 30,
    access = 34,
    create = 35,
    interrupt = 36,
    destroy = 38,
    ioctl = 39,
    batch_forget = 42,
    fallocate = 43,
    rename2 = 45,
    copy_file_range = 47,
    tmpfile = 51,
    _,
};

/// struct fuse_in_header
pub const InHeader = extern struct {
    size: u32,
    opcode: Opcode,
    unique: u64,
    node: u64,
    uid: u32,
    gid: u32,
    pid: u32,
    extensions: u16,
    padding: u16,
};

/// struct fuse_out_header: `failure` is an errno, negative, or 0.
pub const OutHeader = extern struct { size: u32, failure: i32, unique: u64 };

/// struct fuse_attr
pub const Attributes = extern struct {
    inode: u64,
    size: u64,
    blocks: u64,
    atime: u64,
    mtime: u64,
    ctime: u64,
    atime_ns: u32,
    mtime_ns: u32,
    ctime_ns: u32,
    mode: u32,
    links: u32,
    uid: u32,
    gid: u32,
    device: u32 = 0,
    block_size: u32 = 4096,
    flags: u32 = 0,
};

/// struct fuse_entry_out
pub const EntryOut = extern struct {
    node: u64,
    generation: u64 = 0,
    entry_valid: u64,
    attributes_valid: u64,
    entry_valid_ns: u32,
    attributes_valid_ns: u32,
    attributes: Attributes,
};

/// struct fuse_attr_out
pub const AttributesOut = extern struct {
    valid: u64,
    valid_ns: u32,
    padding: u32 = 0,
    attributes: Attributes,
};

/// struct fuse_setattr_in
pub const SetAttributesIn = extern struct {
    valid: Valid,
    padding: u32,
    handle: u64,
    size: u64,
    lock_owner: u64,
    atime: u64,
    mtime: u64,
    ctime: u64,
    atime_ns: u32,
    mtime_ns: u32,
    ctime_ns: u32,
    mode: u32,
    unused4: u32,
    uid: u32,
    gid: u32,
    unused5: u32,

    /// FATTR_*
    pub const Valid = packed struct(u32) {
        mode: bool,
        uid: bool,
        gid: bool,
        size: bool,
        atime: bool,
        mtime: bool,
        handle: bool,
        atime_now: bool,
        mtime_now: bool,
        lock_owner: bool,
        ctime: bool,
        kill_set_id: bool,
        unused: u20,
    };
};

/// struct fuse_open_in, struct fuse_open_out
pub const OpenIn = extern struct { flags: u32, open_flags: u32 };
pub const OpenOut = extern struct { handle: u64, flags: u32 = 0, padding: u32 = 0 };

/// struct fuse_create_in, and what answers it
pub const CreateIn = extern struct { flags: u32, mode: u32, umask: u32, open_flags: u32 };
pub const CreateOut = extern struct { entry: EntryOut, open: OpenOut };

/// struct fuse_mkdir_in
pub const MkdirIn = extern struct { mode: u32, umask: u32 };

/// struct fuse_rename_in, struct fuse_rename2_in
pub const RenameIn = extern struct { new_parent: u64 };
pub const Rename2In = extern struct { new_parent: u64, flags: u32, padding: u32 };

/// struct fuse_link_in
pub const LinkIn = extern struct { node: u64 };

/// struct fuse_read_in
pub const ReadIn = extern struct {
    handle: u64,
    offset: u64,
    size: u32,
    read_flags: u32,
    lock_owner: u64,
    flags: u32,
    padding: u32,
};

/// struct fuse_write_in, struct fuse_write_out
pub const WriteIn = extern struct {
    handle: u64,
    offset: u64,
    size: u32,
    write_flags: u32,
    lock_owner: u64,
    flags: u32,
    padding: u32,
};
pub const WriteOut = extern struct { size: u32, padding: u32 = 0 };

/// struct fuse_release_in
pub const ReleaseIn = extern struct {
    handle: u64,
    flags: u32,
    release_flags: u32,
    lock_owner: u64,
};

/// struct fuse_access_in
pub const AccessIn = extern struct { mask: u32, padding: u32 };

/// struct fuse_fallocate_in
pub const FallocateIn = extern struct {
    handle: u64,
    offset: u64,
    length: u64,
    mode: u32,
    padding: u32,
};

/// struct fuse_copy_file_range_in
pub const CopyIn = extern struct {
    handle_in: u64,
    offset_in: u64,
    node_out: u64,
    handle_out: u64,
    offset_out: u64,
    length: u64,
    flags: u64,
};

/// struct fuse_kstatfs, which is struct fuse_statfs_out
pub const StatfsOut = extern struct {
    blocks: u64,
    blocks_free: u64,
    blocks_available: u64,
    files: u64,
    files_free: u64,
    block_size: u32,
    name_bytes_max: u32,
    fragment_size: u32,
    padding: u32 = 0,
    spare: [6]u32 = @splat(0),
};

/// struct fuse_init_in as far as every kernel sends it, struct fuse_init_out
pub const InitIn = extern struct { major: u32, minor: u32, readahead_max: u32, flags: u32 };
pub const InitOut = extern struct {
    major: u32 = version_major,
    minor: u32 = version_minor,
    readahead_max: u32,
    flags: u32,
    background_max: u16,
    congestion_threshold: u16,
    write_max: u32,
    time_granularity_ns: u32,
    pages_max: u16,
    map_alignment: u16 = 0,
    flags2: u32 = 0,
    unused: [7]u32 = @splat(0),
};

pub const flag_atomic_truncate = 1 << 3; // FUSE_ATOMIC_O_TRUNC: open(2) does it
pub const flag_big_writes = 1 << 5; // FUSE_BIG_WRITES: more than a page at a time
pub const flag_parallel_lookups = 1 << 18; // FUSE_PARALLEL_DIROPS
pub const flag_max_pages = 1 << 22; // FUSE_MAX_PAGES

/// struct fuse_dirent, before its name, which is padded to eight bytes
pub const DirectoryEntry = extern struct { inode: u64, offset: u64, name_size: u32, kind: u32 };

comptime {
    assert(@sizeOf(InHeader) == 40);
    assert(@sizeOf(OutHeader) == 16);
    assert(@sizeOf(Attributes) == 88);
    assert(@sizeOf(EntryOut) == 128);
    assert(@sizeOf(AttributesOut) == 104);
    assert(@sizeOf(SetAttributesIn) == 88);
    assert(@sizeOf(OpenIn) == 8);
    assert(@sizeOf(OpenOut) == 16);
    assert(@sizeOf(CreateIn) == 16);
    assert(@sizeOf(CreateOut) == 144);
    assert(@sizeOf(MkdirIn) == 8);
    assert(@sizeOf(RenameIn) == 8);
    assert(@sizeOf(Rename2In) == 16);
    assert(@sizeOf(LinkIn) == 8);
    assert(@sizeOf(ReadIn) == 40);
    assert(@sizeOf(WriteIn) == 40);
    assert(@sizeOf(WriteOut) == 8);
    assert(@sizeOf(ReleaseIn) == 24);
    assert(@sizeOf(AccessIn) == 8);
    assert(@sizeOf(FallocateIn) == 32);
    assert(@sizeOf(CopyIn) == 56);
    assert(@sizeOf(StatfsOut) == 80);
    assert(@sizeOf(InitIn) == 16);
    assert(@sizeOf(InitOut) == 64);
    assert(@sizeOf(DirectoryEntry) == 24);
}
