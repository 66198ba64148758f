#!/usr/bin/env bash
# Fills fuzz/corpus from data/, and with small files of what data/ does not have.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p corpus/{safetensors,index,onnx,npy,npz}

# Copies files under their path, since many have the same name.
copy() {
    local target=$1 file
    while read -r file; do
        cp "$file" "corpus/$target/$(echo "${file#../data/}" | tr / -)"
    done
}
find ../data/zoo -name '*.safetensors' -size -16k | copy safetensors
find ../data/zoo -name '*.index.json' | copy index
find ../data/zoo -name '*.onnx' -size -24k | copy onnx
find ../data/zoo -name '*.npy' -size -8k | copy npy
find ../data/zoo -name '*.npz' | copy npz

printf '{"metadata":{},"weight_map":{"a":"model.safetensors","b":"model.safetensors"}}' >corpus/index/both
printf '{"weight_map":{"b":"model.safetensors"}}' >corpus/index/one
printf '{"weight_map":{"a":"model-00001-of-00002.safetensors"}}' >corpus/index/missing

# A safetensors file: a name, the header, as many bytes of data.
safetensors() {
    printf "\\x$(printf %x ${#2})\0\0\0\0\0\0\0%s" "$2" >"corpus/safetensors/$1"
    head -c "$3" /dev/zero >>"corpus/safetensors/$1"
}
safetensors empty '{}' 0
safetensors step '{"__metadata__":{"step":"7"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 8
for type in F64:8 F16:2 BF16:2 F8_E4M3:1 F8_E5M2:1 I64:8 I32:4 I16:2 I8:1 U64:8 U32:4 U16:2 U8:1 BOOL:1 C64:8; do
    safetensors "${type%:*}" "{\"a\":{\"dtype\":\"${type%:*}\",\"shape\":[],\"data_offsets\":[0,${type#*:}]}}" "${type#*:}"
done

# A file of NumPy's: a name, the version, the type, the order, the shape, as many bytes of data.
npy() {
    local header="{'descr': '$3', 'fortran_order': $4, 'shape': $5, }"
    local length="\\x$(printf %x ${#header})\0"
    [ "$2" = 1 ] || length+='\0\0'
    printf "\x93NUMPY\x0$2\0$length%s" "$header" >"corpus/npy/$1"
    head -c "$6" /dev/zero >>"corpus/npy/$1"
}
for type in f8 f4 f2 i8 i4 i2 u8 u4 u2; do
    npy "$type" 1 "<$type" False '(1,)' "${type#?}"
    npy "$type-other" 2 ">$type" True '(2, 2)' $((4 * ${type#?}))
done
for type in i1 u1 b1; do
    npy "$type" 1 "|$type" False '(1,)' 1
done
