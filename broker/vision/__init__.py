"""Finding and covering what identifies people in pictures: a picture's bytes in, the covered picture's bytes out.

Pure: `boxes`, `faces`, `plates`, `text`, `level`, `onnx`, `masks`. What touches files, Pillow or onnxruntime: `models`, `picture`, `detector`,
`redact`; `worker` is the process that a running broker hands pictures to. The models are named, with where they are from, in `models`.
"""
