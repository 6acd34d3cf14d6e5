// SPDX-License-Identifier: Apache-2.0
//! A store that asks a command, such as `pass show amazonq/{}` or a vault's, for the token. Somebody
//! else keeps it fresh there. `{}` stands for the key; exit code 1 says that there is no such value.

mod amazonq;

use amazonq::*;
use std::io::Read;
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

struct Store {
    host: *const Host,
    words: Vec<String>,
    timeout: Duration,
}

/// A value, wiped when it is given back. It never grows: that would leave copies behind.
struct Secret {
    bytes: Vec<u8>,
    len: usize,
}

impl Drop for Secret {
    fn drop(&mut self) {
        for byte in self.bytes.iter_mut() {
            unsafe { std::ptr::write_volatile(byte, 0) };
        }
    }
}

fn fail(err: *mut Error, status: Status, text: &str) -> Status {
    let err = unsafe { &mut *err };
    let len = text.len().min(err.text.len() - 1);
    err.text[..len].copy_from_slice(&text.as_bytes()[..len]);
    err.text[len] = 0;
    err.status = status;
    status
}

fn text_of<'a>(view: Bytes) -> Option<&'a str> {
    if view.ptr.is_null() {
        return None;
    }
    std::str::from_utf8(unsafe { std::slice::from_raw_parts(view.ptr, view.len) }).ok()
}

extern "C" fn open(args: *const OpenArgs, ret: *mut *mut c_void, err: *mut Error) -> Status {
    let args = unsafe { &*args };
    let value = |i: u32| unsafe { &*(args.values.add((i * args.value_stride) as usize) as *const SettingValue) };
    let words: Vec<String> =
        text_of(value(0).text).unwrap_or("").split_whitespace().map(String::from).collect();
    if words.is_empty() {
        return fail(err, E_INVALID, "store command: there is none, set store.command.command");
    }
    let timeout = Duration::from_secs(value(1).number as u64);
    unsafe { *ret = Box::into_raw(Box::new(Store { host: args.host, words, timeout })) as *mut c_void };
    OK
}

extern "C" fn close(store: *mut c_void) {
    if !store.is_null() {
        drop(unsafe { Box::from_raw(store as *mut Store) });
    }
}

/// All that the command prints, read by a thread, as it may never come to an end.
fn read_all(child: &mut Child, timeout: Duration) -> Option<std::io::Result<Secret>> {
    let (sender, receiver) = mpsc::channel();
    let mut output = child.stdout.take()?;
    let reader = move || {
        let mut value = Secret { bytes: vec![0; STORE_VALUE_MAX + 1], len: 0 };
        let result = loop {
            match output.read(&mut value.bytes[value.len..]) {
                Ok(0) => break Ok(value),
                Ok(n) => value.len += n,
                Err(error) => break Err(error),
            }
        };
        let _ = sender.send(result);
    };
    let thread = std::thread::Builder::new().spawn(reader).ok()?;
    let value = receiver.recv_timeout(timeout).ok()?;
    thread.join().ok()?;
    Some(value)
}

/// What the command prints, without the ends of lines at its end; None if there is no such value.
fn ask(store: &Store, key: &str) -> Result<Option<Secret>, String> {
    let mut command = Command::new(&store.words[0]);
    command.args(store.words[1..].iter().map(|word| word.replace("{}", key)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let value = read_all(&mut child, store.timeout);
    if value.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match value {
        Some(Ok(value)) if value.len > STORE_VALUE_MAX => Err("printed more than a token".to_string()),
        Some(Ok(mut value)) if status.success() => {
            while value.len > 0 && b"\r\n".contains(&value.bytes[value.len - 1]) {
                value.len -= 1;
            }
            Ok(Some(value))
        }
        Some(_) if status.code() == Some(1) => Ok(None),
        Some(_) => Err(format!("failed ({})", status)),
        None => Err(format!("took more than {} s", store.timeout.as_secs())),
    }
}

extern "C" fn get(store: *mut c_void, key: Bytes, sink: *mut c_void, err: *mut Error) -> Status {
    let store = unsafe { &*(store as *const Store) };
    let host = unsafe { &*store.host };
    // no panic crosses the border
    let answer = std::panic::catch_unwind(|| text_of(key).map_or(Ok(None), |text| ask(store, text)));
    match answer.unwrap_or_else(|_| Err("met a mistake of this plugin".to_string())) {
        Ok(Some(value)) => (host.put)(host.ctx, sink, key, Bytes { ptr: value.bytes.as_ptr(), len: value.len }),
        Ok(None) => fail(err, E_NOTFOUND, "store command: no such value"),
        Err(what) => fail(err, E_UNAVAILABLE, &format!("{}: {}, try it in a terminal", store.words[0], what)),
    }
}

extern "C" fn list(_: *mut c_void, _: *mut c_void, _: *mut Error) -> Status {
    OK // a command cannot be asked for that
}

extern "C" fn commit(store: *mut c_void, _: *const c_void, _: u32, _: u32, err: *mut Error) -> Status {
    can_save(store, err)
}

extern "C" fn can_save(store: *mut c_void, err: *mut Error) -> Status {
    let store = unsafe { &*(store as *const Store) };
    fail(err, E_READONLY, &format!("{}: keeps the token, put a fresh one there", store.words[0]))
}

macro_rules! c {
    ($text:expr) => {
        concat!($text, "\0").as_ptr() as *const c_char
    };
}

static SETTINGS: [Setting; 2] = [
    Setting {
        key: c!("command"),
        default_value: std::ptr::null(),
        env: c!("Q_STORE_COMMAND"),
        help: c!("what to run; {} stands for the key"),
        kind: 1,
        flags: 1, // required
        min: 0,
        max: 0,
    },
    Setting {
        key: c!("timeout_s"),
        default_value: c!("5"),
        env: std::ptr::null(),
        help: c!("how long it may take, in seconds; more than 5 if it asks a person"),
        kind: 2,
        flags: 0,
        min: 1,
        max: 300,
    },
];

static OPS: StoreOps = StoreOps {
    struct_size: size_of::<StoreOps>() as u32,
    traits: 3, // persistent, shared; without a lock: never refreshed here
    open,
    close,
    get,
    list,
    commit,
    lock: std::ptr::null(),
    unlock: std::ptr::null(),
    can_save,
};

static PLUGIN: Plugin = Plugin {
    struct_size: size_of::<Plugin>() as u32,
    abi_minor: 0,
    kind: 1,
    flags: 0,
    name: c!("command"),
    version: c!("1.0"),
    summary: c!("asks a command for the token"),
    settings: SETTINGS.as_ptr(),
    setting_count: SETTINGS.len() as u32,
    setting_stride: size_of::<Setting>() as u32,
    store: &OPS,
    transport: std::ptr::null(),
};

#[no_mangle]
pub extern "C" fn aq_plugin_v1() -> *const Plugin {
    &PLUGIN
}
