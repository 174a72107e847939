"""Where outputs stand: a folder of this machine, or an object store by its address.

A run always works in a local folder, with all that is promised of it. Where ``output_dir`` is an
address, that folder is a workshop in the user's cache: each output is uploaded from it when it is
whole, the audio first and its metadata last, and what stands is asked of the store.
"""
