# %% [markdown]
# # First sounds
#
# The small model that ships with audiogen makes drums, tones, chords and effects of up to four
# seconds, on any machine. More steps sound better: 25 is what its card recommends.

# %%
from audiogen_core import Generator

STEPS = 2
generator = Generator.load()
print(f"{generator.sample_rate} Hz, {generator.channels} channels, on {generator.device}")

# %% [markdown]
# A list of prompts makes a result for each. `audio` is a NumPy array, `[channels, samples]`; in
# Jupyter, `IPython.display.Audio(result.audio, rate=result.sample_rate)` plays it.

# %%
results = list(generator.generate(["rising siren", "kick drum"], steps=STEPS, seed=1))
for result in results:
    print(f"{result.prompt}: {result.seconds} s, peak {abs(result.audio).max():.2f}")

# %% [markdown]
# A sample may say more than its prompt. Here a low sound of half a second, and a long one.

# %%
samples = [
    {"prompt": "low bell tone", "seconds_total": 0.5},
    {"prompt": "low bell tone", "seconds_total": 3, "cfg_scale": 5.0},
]
for result in generator.generate(samples, steps=STEPS, seed=1):
    print(f"{result.seconds} s with guidance {result.metadata['generation_config']['cfg_scale']}")

# %% [markdown]
# `save` writes the format that the ending names, and beside it a JSON file with all that it takes
# to make the sound again.

# %%
for result in results:
    print(result.save(f"first sounds/{result.prompt}.flac"))
