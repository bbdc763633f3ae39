//! The files of a guest: those of `wasmtime-wasi`, but for how one is opened.
//!
//! Invariant: what a guest opens is a regular file or a directory. To open a FIFO waits for its other end, on a thread
//! that nothing can call back; to open a device may act on it. So what lies there is looked at before it is opened, it
//! is opened so that nothing waits, and what was opened is looked at again, for another may have come in between.
//! Where the kernel has no `openat2`, another that comes in between is not seen.
//!
//! Length: each method of the interface that is handed on is one here.

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};
use std::{fs, io};
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::{
    FsPerms, OpenMode,
    filesystem::{Descriptor, Dir, File, WasiFilesystemCtxView},
    p2::{
        DynInputStream, DynOutputStream, FsError, FsResult,
        bindings::filesystem::types::{
            self, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, Host, HostDescriptor,
            HostDirectoryEntryStream, OpenFlags, PathFlags,
        },
    },
};

/// What the linker asks for the files of a call.
pub(super) struct GuardedFilesystem;

impl HasData for GuardedFilesystem {
    type Data<'a> = GuardedFiles<'a>;
}

/// The files of one call.
pub(super) struct GuardedFiles<'a>(pub(super) WasiFilesystemCtxView<'a>);

/// How something is to be opened, as [`wasmtime_wasi`] reads what a guest asks for.
struct Opening {
    path: String,
    flags: OFlags,
    mode: OpenMode,
    is_directory_wanted: bool,
}

/// What came of opening.
enum Opened {
    File(fs::File),
    Directory(fs::File),
    /// It is neither.
    Refused,
    /// The kernel cannot open below a directory by one call.
    Unsupported,
}

impl Opening {
    fn new(
        path: String,
        path_flags: PathFlags,
        open: OpenFlags,
        flags: DescriptorFlags,
        perms: FsPerms,
    ) -> Result<Self, ErrorCode> {
        let synchronous = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if flags.intersects(synchronous) {
            return Err(ErrorCode::Unsupported);
        }
        let creating = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        let is_directory_wanted = open.contains(OpenFlags::DIRECTORY);
        if is_directory_wanted && open.intersects(creating) {
            return Err(ErrorCode::Invalid);
        }
        let creates = open.contains(OpenFlags::CREATE);
        let truncates = open.contains(OpenFlags::TRUNCATE);
        let is_written = flags.contains(DescriptorFlags::WRITE);
        // What is not opened to be written is opened to be read; what may be done with it is checked later.
        let (reads, writes) = (
            flags.contains(DescriptorFlags::READ) || !is_written,
            is_written || creates || truncates,
        );
        if writes && perms.write_not_permitted() {
            return Err(ErrorCode::NotPermitted);
        }
        let mut mode = OpenMode::empty();
        mode.set(OpenMode::READ, reads);
        mode.set(OpenMode::WRITE, writes);
        let mut all = match (reads, writes) {
            (_, false) => OFlags::RDONLY,
            (false, true) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        };
        all |= OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        all.set(OFlags::CREATE, creates);
        all.set(OFlags::EXCL, creates && open.contains(OpenFlags::EXCLUSIVE));
        all.set(OFlags::TRUNC, truncates);
        all.set(
            OFlags::NOFOLLOW,
            !path_flags.contains(PathFlags::SYMLINK_FOLLOW),
        );
        Ok(Self {
            path,
            flags: all,
            mode,
            is_directory_wanted,
        })
    }

    /// Blocking, but for no longer than a file system takes.
    fn open(&self, directory: &fs::File) -> io::Result<Opened> {
        let looking = OFlags::PATH | OFlags::CLOEXEC | (self.flags & OFlags::NOFOLLOW);
        match self.open_with(directory, looking) {
            Ok(found) if is_foreign(found.metadata()?.file_type()) => return Ok(Opened::Refused),
            // So do some sandboxes say that they have no such call.
            Err(Errno::NOSYS | Errno::PERM) => return Ok(Opened::Unsupported),
            // It is not there, or cannot be reached: the opening itself says so, or makes it.
            Ok(_) | Err(_) => {}
        }
        let opened = match self.open_with(directory, self.flags) {
            Ok(opened) => opened,
            // A FIFO that nobody reads, a socket, or a device that is not there.
            Err(Errno::NXIO) => return Ok(Opened::Refused),
            Err(Errno::XDEV) => return Err(io::ErrorKind::PermissionDenied.into()),
            Err(error) => return Err(error.into()),
        };
        let kind = opened.metadata()?.file_type();
        Ok(match kind {
            _ if kind.is_dir() => Opened::Directory(opened),
            _ if kind.is_file() => Opened::File(opened),
            _ => Opened::Refused,
        })
    }

    fn open_with(&self, directory: &fs::File, flags: OFlags) -> Result<fs::File, Errno> {
        let mode = match flags.contains(OFlags::CREATE) {
            true => Mode::from_bits_truncate(0o666),
            false => Mode::empty(),
        };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // Something may be renamed on the machine while a path is followed; then it is followed again.
        for _ in 0..4 {
            match openat2(directory, self.path.as_str(), flags, mode, beneath) {
                Ok(opened) => return Ok(opened.into()),
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::AGAIN)
    }
}

/// Neither a file nor a directory, nor a link that is not followed.
fn is_foreign(kind: fs::FileType) -> bool {
    !kind.is_file() && !kind.is_dir() && !kind.is_symlink()
}

impl GuardedFiles<'_> {
    /// Where the kernel cannot do it by one call: looks, then opens as [`wasmtime_wasi`] does.
    async fn look_and_open(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let directory = Resource::new_borrow(fd.rep());
        if let Ok(found) = self.0.stat_at(directory, path_flags, path.clone()).await
            && !matches!(
                found.type_,
                DescriptorType::RegularFile
                    | DescriptorType::Directory
                    | DescriptorType::SymbolicLink
            )
        {
            return Err(ErrorCode::NotPermitted.into());
        }
        self.0.open_at(fd, path_flags, path, open, flags).await
    }
}

impl Host for GuardedFiles<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.0.convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.0.filesystem_error_code(error)
    }
}

impl HostDescriptor for GuardedFiles<'_> {
    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let Descriptor::Dir(Dir { dir, perms, .. }) = self.0.table.get(&fd)? else {
            return Err(ErrorCode::NotDirectory.into());
        };
        let (dir, perms) = (dir.clone(), *perms);
        let opening = Opening::new(path.clone(), path_flags, open, flags, perms)?;
        let (mode, is_directory_wanted) = (opening.mode, opening.is_directory_wanted);
        let opened = tokio::task::spawn_blocking(move || opening.open(&dir))
            .await
            .map_err(FsError::trap)??;
        let descriptor = match opened {
            Opened::Directory(opened) => Descriptor::Dir(Dir::new(opened, perms, mode, false)),
            Opened::File(_) if is_directory_wanted => return Err(ErrorCode::NotDirectory.into()),
            Opened::File(opened) => Descriptor::File(File::new(opened, perms, mode, false)),
            Opened::Refused => return Err(ErrorCode::NotPermitted.into()),
            Opened::Unsupported => {
                return self.look_and_open(fd, path_flags, path, open, flags).await;
            }
        };
        Ok(self.0.table.push(descriptor)?)
    }

    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
        len: types::Filesize,
        advice: types::Advice,
    ) -> FsResult<()> {
        self.0.advise(fd, offset, len, advice).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.0.sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.0.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        self.0.get_type(fd).await
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: types::Filesize) -> FsResult<()> {
        self.0.set_size(fd, size).await
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        self.0.set_times(fd, accessed, modified).await
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        len: types::Filesize,
        offset: types::Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.0.read(fd, len, offset).await
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        buffer: Vec<u8>,
        offset: types::Filesize,
    ) -> FsResult<types::Filesize> {
        self.0.write(fd, buffer, offset).await
    }

    async fn read_directory(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<types::DirectoryEntryStream>> {
        self.0.read_directory(fd).await
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.0.sync(fd).await
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.0.create_directory_at(fd, path).await
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.0.stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        self.0.stat_at(fd, path_flags, path).await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        self.0
            .set_times_at(fd, path_flags, path, accessed, modified)
            .await
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.0.link_at(fd, path_flags, path, new_fd, new_path).await
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.0, fd)
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.0.readlink_at(fd, path).await
    }

    async fn remove_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.0.remove_directory_at(fd, path).await
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.0.rename_at(fd, path, new_fd, new_path).await
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        from: String,
        to: String,
    ) -> FsResult<()> {
        self.0.symlink_at(fd, from, to).await
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.0.unlink_file_at(fd, path).await
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        self.0.read_via_stream(fd, offset)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.0.write_via_stream(fd, offset)
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.0.append_via_stream(fd)
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        self.0.is_same_object(one, other).await
    }

    async fn metadata_hash(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<types::MetadataHashValue> {
        self.0.metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        self.0.metadata_hash_at(fd, path_flags, path).await
    }
}

impl HostDirectoryEntryStream for GuardedFiles<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        self.0.read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.0, stream)
    }
}
