//! The key file: a key per line, the one that seals first. Read and written by nobody but its
//! owner, and replaced as a whole, so that a crash leaves the old file or the new one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keys::{Key, KeyError, Keys};

/// Bytes of a key file; a longer one is none.
const BYTES_MAX: u64 = 64 * 1024;
/// Read and written by the owner.
const MODE: u32 = 0o600;
/// What a file keeps of the rights that it was given: nothing for everybody.
const MODE_MAX: u32 = 0o770;
/// What a new file begins with.
const HEAD: &str = "\
# Runout's keys: the first one seals the secrets in the database, all of them open it.
# Keep a copy of this file apart from the database's backups: without it they cannot be read.
";

/// What tells one state of a file from another: inode, size and time of the last change; none while
/// there is no file.
pub(super) type Stamp = Option<(u64, u64, i64, i64)>;

pub(super) fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

fn failed(path: &Path, source: std::io::Error) -> KeyError {
    KeyError::File { path: path.to_owned(), source }
}

/// Reads a key file.
///
/// # Errors
/// [`KeyError`].
pub(super) fn read(path: &Path) -> Result<Keys, KeyError> {
    Keys::parse(&read_text(path)?, &path.display().to_string())
}

fn read_text(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let opened = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
        _ => failed(path, error),
    })?;
    let mode = opened.metadata().map_err(|error| failed(path, error))?.permissions().mode();
    if mode & 0o007 != 0 {
        tracing::warn!(path = %path.display(), "everybody on this machine may read the key file");
    }
    let mut text = Zeroizing::new(String::new());
    let read = opened.take(BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| failed(path, error))?;
    Ok(text)
}

/// Reads a key file, or makes one with a new key. The second value tells which.
///
/// # Errors
/// [`KeyError`].
pub(super) fn read_or_create(path: &Path) -> Result<(Keys, bool), KeyError> {
    match read(path) {
        Err(KeyError::Missing(_)) => {}
        found => return found.map(|keys| (keys, false)),
    }
    let folder = folder_of(path);
    std::fs::create_dir_all(&folder).map_err(|error| failed(path, error))?;
    let _alone = alone(path, &folder)?;
    // Another process may have been faster.
    match read(path) {
        Err(KeyError::Missing(_)) => {}
        found => return found.map(|keys| (keys, false)),
    }
    let key = Key::generate()?;
    replace(path, &folder, &[HEAD, &key.expose(), "\n"])?;
    read(path).map(|keys| (keys, true))
}

/// Puts a key in front of those that stand in the file. Gives its id.
///
/// # Errors
/// [`KeyError`]; the file is then as it was.
pub(super) fn put_in_front(path: &Path, key: Key) -> Result<String, KeyError> {
    // A link would be replaced by a file: what it leads to is meant.
    let path = &path.canonicalize().map_err(|error| failed(path, error))?;
    let folder = folder_of(path);
    let _alone = alone(path, &folder)?;
    let text = read_text(path)?;
    // What cannot be read is not made worse.
    Keys::parse(&text, &path.display().to_string())?;
    let is_said = |line: &&str| line.starts_with('#') || line.trim().is_empty();
    let head: usize = text.split_inclusive('\n').take_while(is_said).map(str::len).sum();
    let (head, keys) = text.split_at(head);
    replace(path, &folder, &[head, &key.expose(), "\n", keys])?;
    Ok(key.id().to_owned())
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// The folder, locked: of two processes that write a key file at once, neither loses the other's
/// key.
fn alone(path: &Path, folder: &Path) -> Result<File, KeyError> {
    let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
    lock.map_err(|error| failed(path, error))
}

/// Writes a new file beside the old one, and puts it into its place when it is safe on the disk.
fn replace(path: &Path, folder: &Path, parts: &[&str]) -> Result<(), KeyError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    // Whoever rotates keys may be another user than whoever serves: the file stays the owner's.
    let before = std::fs::metadata(path).ok();
    let write = || -> std::io::Result<()> {
        // One that a crash has left behind: whoever writes is alone.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
        if let Some(before) = &before {
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
                fchown(&file, Some(before.uid()), Some(before.gid()))?;
            }
            file.set_permissions(PermissionsExt::from_mode(before.mode() & MODE_MAX))?;
        }
        for part in parts {
            file.write_all(part.as_bytes())?;
        }
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| failed(path, error))
}
