# Runs as the container's first process, in its new namespaces: makes the root file system, then becomes the program.
#   sh launch.sh CONTAINER_DIRECTORY HOSTNAME WORKING_DIRECTORY CGROUP PROGRAM [ARGUMENT …]
# CONTAINER_DIRECTORY/mounts lists what to mount, one a line: source, target and mode (rw or ro), tab-separated.
set -eu
here=$1 hostname=$2 directory=$3 cgroup=$4
shift 4
root=$here/root
[ -z "$cgroup" ] || echo 0 > "$cgroup/cgroup.procs"
echo "$hostname" > /proc/sys/kernel/hostname
mount -t overlay overlay -o "lowerdir=/,upperdir=$here/upper,workdir=$here/work" "$root"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
while IFS='	' read -r source target mode; do
  # Links on the way (/var/run, /etc/resolv.conf) must lead within the container's root.
  target=$root$(chroot "$root" realpath -m -- "$target")
  if [ -d "$source" ]; then
    mkdir -p "$target"
  else
    mkdir -p "${target%/*}"
    [ -e "$target" ] || : > "$target"
  fi
  mount --bind "$source" "$target"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$target"
done < "$here/mounts"
exec chroot "$root" env -C "$directory" "$@"
