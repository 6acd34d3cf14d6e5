// SPDX-License-Identifier: Apache-2.0
//! `<amazonq/plugin.h>` in Rust, as far as a store of minor version 0 needs it.

use std::os::raw::{c_char, c_void};

pub type Status = i32;
pub const OK: Status = 0;
pub const E_INVALID: Status = -1;
pub const E_NOTFOUND: Status = -10;
pub const E_READONLY: Status = -13;
pub const E_UNAVAILABLE: Status = -17;
pub const STORE_VALUE_MAX: usize = 1 << 20;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub ptr: *const u8, // struct aq_str and struct aq_bytes
    pub len: usize,
}

#[repr(C)]
pub struct Error {
    pub status: Status,
    pub sys: i32,
    pub http: i32,
    pub flags: u32,
    pub text: [u8; 496],
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub ctx: *mut c_void,
    pub log: extern "C" fn(*mut c_void, i32, Bytes),
    pub now_us: extern "C" fn(*mut c_void) -> u64,
    pub put: extern "C" fn(*mut c_void, *mut c_void, Bytes, Bytes) -> Status,
}

#[repr(C)]
pub struct SettingValue {
    pub text: Bytes,
    pub number: i64,
}

#[repr(C)]
pub struct OpenArgs {
    pub struct_size: u32,
    pub value_count: u32,
    pub value_stride: u32, // values of a newer host may be larger than ours
    pub reserved: u32,
    pub values: *const u8,
    pub host: *const Host,
}

#[repr(C)]
pub struct Setting {
    pub key: *const c_char,
    pub default_value: *const c_char,
    pub env: *const c_char,
    pub help: *const c_char,
    pub kind: i32, // 1: string, 2: integer
    pub flags: u32,
    pub min: i64,
    pub max: i64,
}

#[repr(C)]
pub struct StoreOps {
    pub struct_size: u32,
    pub traits: u32,
    pub open: extern "C" fn(*const OpenArgs, *mut *mut c_void, *mut Error) -> Status,
    pub close: extern "C" fn(*mut c_void),
    pub get: extern "C" fn(*mut c_void, Bytes, *mut c_void, *mut Error) -> Status,
    pub list: extern "C" fn(*mut c_void, *mut c_void, *mut Error) -> Status,
    pub commit: extern "C" fn(*mut c_void, *const c_void, u32, u32, *mut Error) -> Status,
    pub lock: *const c_void,
    pub unlock: *const c_void,
    pub can_save: extern "C" fn(*mut c_void, *mut Error) -> Status,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub kind: i32, // 1: store
    pub flags: u32,
    pub name: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub settings: *const Setting,
    pub setting_count: u32,
    pub setting_stride: u32,
    pub store: *const StoreOps,
    pub transport: *const c_void,
}

// Constant, and nothing but texts and functions behind the pointers.
unsafe impl Sync for Setting {}
unsafe impl Sync for StoreOps {}
unsafe impl Sync for Plugin {}

// The sizes of the C side, checked while compiling.
const _: () = assert!(std::mem::size_of::<Error>() == 512);
const _: () = assert!(std::mem::size_of::<OpenArgs>() == 32);
const _: () = assert!(std::mem::size_of::<Setting>() == 56);
const _: () = assert!(std::mem::size_of::<StoreOps>() == 72);
const _: () = assert!(std::mem::size_of::<Plugin>() == 72);
