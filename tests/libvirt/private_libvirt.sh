# Runs a libvirtd of the test's own, in namespaces of mounts and processes: it shares nothing with the
# machine's, may be stopped and killed, and takes its domains along at its end. $1 is an empty folder.
set -e
folder=$1
mount -t proc proc /proc
for state in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
  mkdir -p $state
  mount -t tmpfs none $state
done

# Where there is a /dev/kvm that QEMU's user may not open, libvirt 9.0 asks each QEMU anew for all that it
# can do, many times for each domain that starts: 40 s instead of 1 s.
mkdir $folder/dev
mount -t tmpfs none $folder/dev
for node in null zero full random urandom tty; do
  : > $folder/dev/$node
  mount --bind /dev/$node $folder/dev/$node
done
mkdir $folder/dev/pts $folder/dev/shm
mount --bind /dev/pts $folder/dev/pts
ln -s pts/ptmx $folder/dev/ptmx
mount --move $folder/dev /dev

# No virtlogd is needed then, and a domain needs no mounts of its own.
printf 'stdio_handler = "file"\nnamespaces = []\n' > $folder/qemu.conf
mount --bind $folder/qemu.conf /etc/libvirt/qemu.conf
/usr/sbin/libvirtd -p /run/libvirt/libvirtd.pid > $folder/libvirtd.out 2>&1 &
echo $!
cat # Until the test closes our input.
